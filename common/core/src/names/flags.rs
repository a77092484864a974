//! Flags by name.

use std::fmt::Write as _;

/// A bit, or several that have one name, and that name.
pub type Flag = (u64, &'static str);

/// The names of the flags in a mask as they are written in C, `O_WRONLY|O_CREAT`, in the order of the table; bits without
/// a name come last, in hexadecimal. A flag of 0 in the table is the name of an empty mask, which is `0` otherwise.
///
/// A flag of several bits stands before those that are part of it.
#[must_use]
pub fn names(mask: u64, known: &[Flag]) -> String {
    let mut text = String::new();
    let mut rest = mask;
    for (bits, name) in known {
        if *bits != 0 && rest & bits == *bits {
            push(&mut text, name);
            rest &= !bits;
        }
    }
    if rest != 0 {
        push(&mut text, "");
        // Writing to a String does not fail.
        let _ = write!(text, "{rest:#x}");
    } else if mask == 0 {
        text.push_str(known.iter().find_map(|(bits, name)| (*bits == 0).then_some(*name)).unwrap_or("0"));
    }
    text
}

fn push(text: &mut String, name: &str) {
    if !text.is_empty() {
        text.push('|');
    }
    text.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn known_bits_by_name_and_others_by_number() {
        let known = [(0x101, "BOTH"), (1, "ONE"), (2, "TWO")];
        assert_eq!(names(3, &known), "ONE|TWO");
        assert_eq!(names(0x103, &known), "BOTH|TWO");
        assert_eq!(names(0x8000_0000_0000_0012, &known), "TWO|0x8000000000000010");
        assert_eq!(names(0x40, &known), "0x40");
    }

    #[test]
    fn no_bit_at_all_may_have_a_name() {
        assert_eq!(names(0, &[(1, "ONE")]), "0");
        assert_eq!(names(0, &[(0, "NONE"), (1, "ONE")]), "NONE");
        assert_eq!(names(1, &[(0, "NONE"), (1, "ONE")]), "ONE");
    }
}
