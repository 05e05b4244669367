//! What is in force, by append time (`DOM-3`). Filled in below.
