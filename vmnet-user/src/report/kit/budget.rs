//! How much JSON a document may be before it is parsed: what was written by others can be made to take all memory.

/// The JSON of a run, which has a bounded number of intervals, CPUs and queues, is less.
pub(crate) const MOST_BYTES: u64 = 32 << 20;
/// Values in it. Each takes some tens of bytes of memory, and as few as three of the file.
pub(crate) const MOST_VALUES: usize = 1_000_000;
/// Bytes of text in it, names and all, of which reports hold several copies.
pub(crate) const MOST_TEXT_BYTES: usize = 12 << 20;

/// Whether JSON is as little as a run has to say. Counted before it is parsed: a value may take ten times the memory of its text.
pub(crate) fn within_budget(json: &[u8]) -> Result<(), String> {
    within(json, MOST_VALUES, MOST_TEXT_BYTES)
}

/// Whether JSON has no more values, and no more bytes of text.
pub(crate) fn within(json: &[u8], most_values: usize, most_text_bytes: usize) -> Result<(), String> {
    let (mut values, mut text_bytes) = (0_usize, 0_usize);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in json {
        match byte {
            _ if is_escaped => {
                is_escaped = false;
                text_bytes += 1;
            }
            b'\\' => is_escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => text_bytes += 1,
            // Each value but the first of all follows one of these.
            b',' | b'[' | b'{' => values += 1,
            _ => {}
        }
    }
    if values > most_values {
        return Err(format!("{values} values"));
    }
    if text_bytes > most_text_bytes {
        return Err(format!("{text_bytes} bytes of text"));
    }
    Ok(())
}
