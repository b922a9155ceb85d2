//! Any answer of a kernel is read or passed over; what is read is no more than was there, and goes back as it came.

pub(super) fn any(bytes: &[u8]) {
    crate::device::fuzzing::any_answer_is_read(bytes);
}
