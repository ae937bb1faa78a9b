//! A mock LLM provider: honest usage, hostile on request.
