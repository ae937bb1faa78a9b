//! Token counting from static tables: no start-up work, no heap.
