//! Limits: token buckets, sliding windows and concurrency, taken together or not at all.
