//! Numbers in decimal, for what is written with every answer: the formatter of the library takes longer
//! than all the rest of a reply.

/// Digits of the largest number.
const DIGITS: usize = 20;

/// Appends a number.
pub(crate) fn encode(number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; DIGITS];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(DIGITS - used..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(number: u64) -> Vec<u8> {
        let mut out = b"=".to_vec();
        encode(number, &mut out);
        out
    }

    #[test]
    fn the_ends() {
        for number in [0, 9, 10, u64::MAX] {
            assert_eq!(encoded(number), format!("={number}").into_bytes());
        }
    }

    proptest! {
        #[test]
        fn as_the_library_writes_it(number in any::<u64>(), fewer in 0..64_u32) {
            let number = number >> fewer;
            prop_assert_eq!(encoded(number), format!("={number}").into_bytes());
        }
    }
}
