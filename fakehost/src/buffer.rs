//! How a filter reads and writes body buffers (Envoy's `Buffer::copyFrom`, the C++ host's `get_buffer_bytes`).

use crate::status::{Outcome, Status};

/// Up to `max` bytes from `start` on; reading past the end is not an error.
pub(crate) fn read(buffer: &[u8], start: usize, max: usize) -> Result<&[u8], Status> {
    let end = start.checked_add(max).ok_or(Status::BadArgument)?;
    Ok(buffer
        .get(start.min(buffer.len())..end.min(buffer.len()))
        .unwrap_or_default())
}

/// From the start: replaces the first `length` bytes (none: prepends). From the end on: appends. Any other
/// range is refused.
pub(crate) fn write(buffer: &mut Vec<u8>, start: usize, length: usize, data: &[u8]) -> Outcome {
    if start == 0 {
        buffer.splice(..length.min(buffer.len()), data.iter().copied());
        return Ok(());
    }
    if start >= buffer.len() {
        buffer.extend_from_slice(data);
        return Ok(());
    }
    Err(Status::BadArgument)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(start: usize, length: usize) -> Result<Vec<u8>, Status> {
        let mut buffer = b"hello".to_vec();
        write(&mut buffer, start, length, b"XY").map(|()| buffer)
    }

    #[test]
    fn a_range_from_the_start_is_replaced() {
        assert_eq!(written(0, usize::MAX).unwrap(), b"XY");
        assert_eq!(written(0, 5).unwrap(), b"XY");
        assert_eq!(written(0, 2).unwrap(), b"XYllo");
    }

    #[test]
    fn an_empty_range_at_the_start_prepends() {
        assert_eq!(written(0, 0).unwrap(), b"XYhello");
    }

    #[test]
    fn a_start_at_or_past_the_end_appends() {
        assert_eq!(written(5, 0).unwrap(), b"helloXY");
        assert_eq!(written(99, 1).unwrap(), b"helloXY");
    }

    #[test]
    fn a_range_in_the_middle_is_refused() {
        assert_eq!(written(1, 2), Err(Status::BadArgument));
    }

    #[test]
    fn reading_past_the_end_gives_what_there_is() {
        assert_eq!(read(b"hello", 3, 100), Ok(&b"lo"[..]));
        assert_eq!(read(b"hello", 9, 1), Ok(&b""[..]));
        assert_eq!(read(b"hello", 1, usize::MAX), Err(Status::BadArgument));
    }
}
