//! What a plain YAML scalar is, by the rules of YAML 1.1 as PyYAML has them, which are Ansible's.
//!
//! `0644` is 420, `22:30` is 1350, `yes` is true, `1_000` is 1000, and `1e3`, `0o17` and `089` are texts.

use crate::node::Data;

/// The value of a plain scalar.
///
/// # Errors
/// A number that is too large to be kept exactly.
pub fn plain(text: &str) -> Result<Data, &'static str> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Ok(Data::Bool(true)),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(Data::Bool(false));
        }
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Ok(Data::Text(text.to_owned()));
    }
    let (negative, digits) = sign(text);
    if let Some(magnitude) = integer(digits) {
        let magnitude = magnitude.ok_or("the number is too large")?;
        return whole(negative, magnitude).ok_or("the number is too large");
    }
    Ok(match float(text, negative, digits) {
        Some(number) => Data::Float(number),
        None => Data::Text(text.to_owned()),
    })
}

/// The value of a scalar in JSON, whose numbers are Python's: `1e3` is 1000.0.
///
/// # Errors
/// A number that is too large to be kept exactly.
pub fn json(text: &str) -> Result<Data, &'static str> {
    match text {
        "null" => Ok(Data::Null),
        "true" => Ok(Data::Bool(true)),
        "false" => Ok(Data::Bool(false)),
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
            let (negative, digits) = sign(text);
            digits
                .parse()
                .ok()
                .and_then(|magnitude| whole(negative, magnitude))
                .ok_or("the number is too large")
        }
        _ => text.parse().map(Data::Float).map_err(|_| "it is no JSON value"),
    }
}

fn sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// An integer by its sign and its digits; nothing where it is outside of 64 bits.
pub fn whole(negative: bool, magnitude: u128) -> Option<Data> {
    let magnitude = i128::try_from(magnitude).ok()?;
    let number = if negative { -magnitude } else { magnitude };
    i64::try_from(number).map(Data::Int).or_else(|_| u64::try_from(number).map(Data::Large)).ok()
}

/// An integer without its sign; the inner nothing is one that is too large.
fn integer(text: &str) -> Option<Option<u128>> {
    let in_base = |digits: &str, base: u32, extra: &str| {
        let fits = |c: char| c == '_' || c.is_digit(base);
        let valid = !digits.is_empty() && digits.chars().all(fits) && extra.is_empty();
        let digits: String = digits.chars().filter(|c| *c != '_').collect();
        (valid && !digits.is_empty()).then(|| u128::from_str_radix(&digits, base).ok())
    };
    match text.as_bytes() {
        [b'0'] => Some(Some(0)),
        [b'0', b'b', ..] => in_base(&text[2..], 2, ""),
        [b'0', b'x', ..] => in_base(&text[2..], 16, ""),
        [b'0', ..] => in_base(&text[1..], 8, ""),
        [b'1'..=b'9', ..] if text.contains(':') => sexagesimal(text).map(|(whole, _)| whole),
        [b'1'..=b'9', ..] => in_base(text, 10, ""),
        _ => None,
    }
}

/// `22:30` in base sixty; the second part is the last group's text, for fractions.
fn sexagesimal(text: &str) -> Option<(Option<u128>, usize)> {
    let mut groups = text.split(':');
    let first = groups.next()?;
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !first.chars().all(|c| c.is_ascii_digit() || c == '_')
    {
        return None;
    }
    let mut value = first.replace('_', "").parse::<u128>().ok();
    let mut count = 0;
    for group in groups {
        let digits = group.as_bytes();
        let valid = matches!(digits, [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
        if !valid {
            return None;
        }
        let number: u128 = group.parse().ok()?;
        value = value.and_then(|value| value.checked_mul(60)?.checked_add(number));
        count += 1;
    }
    Some((value, count))
}

/// A number with a point; an exponent needs one, and its own sign.
fn float(text: &str, negative: bool, digits: &str) -> Option<f64> {
    let signed = |number: f64| if negative { -number } else { number };
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(signed(f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if digits == text => return Some(f64::NAN),
        _ => {}
    }
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    if let Some(exponent) = exponent {
        let number = exponent.strip_prefix(['+', '-'])?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
    }
    let (before, after) = mantissa.split_once('.')?;
    if !after.chars().all(|c| c.is_ascii_digit() || c == '_') {
        return None;
    }
    if before.contains(':') {
        let (whole, _) = sexagesimal(before)?;
        let fraction: f64 = format!("0.{}0", after.replace('_', "")).parse().ok()?;
        return exponent.is_none().then(|| signed(whole.unwrap_or(0) as f64 + fraction));
    }
    let starts_well = match before.as_bytes().first() {
        Some(first) => first.is_ascii_digit() && before.chars().all(|c| c.is_ascii_digit() || c == '_'),
        // Without a digit before the point there is no sign, and a digit comes after it.
        None => digits == text && after.starts_with(|c: char| c.is_ascii_digit()),
    };
    if !starts_well {
        return None;
    }
    let number = format!("{before}.{after}0e{}", exponent.unwrap_or("0")).replace('_', "");
    format!("0{number}").parse().ok().map(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PyYAML 6.0 answers for each.
    #[test]
    fn scalars_are_what_pyyaml_says() {
        let text = |text: &str| Data::Text(text.to_owned());
        let cases = [
            ("0644", Data::Int(420)),
            ("22:30", Data::Int(1350)),
            ("1:1:1", Data::Int(3661)),
            ("-22:30", Data::Int(-1350)),
            ("22:60", text("22:60")),
            ("02:30", text("02:30")),
            ("1e3", text("1e3")),
            ("1.e+3", Data::Float(1000.0)),
            ("1.0e3", text("1.0e3")),
            ("1.5E-3", Data::Float(0.0015)),
            ("0o17", text("0o17")),
            ("089", text("089")),
            ("0x1F", Data::Int(31)),
            ("-0x1_F", Data::Int(-31)),
            ("0b101", Data::Int(5)),
            ("0x", text("0x")),
            ("1_000", Data::Int(1000)),
            ("+12", Data::Int(12)),
            ("-0", Data::Int(0)),
            ("1.", Data::Float(1.0)),
            (".5", Data::Float(0.5)),
            ("-.5", text("-.5")),
            ("1_0.2_5", Data::Float(10.25)),
            ("22.10", Data::Float(22.1)),
            ("1:30.5", Data::Float(90.5)),
            ("1.2.3", text("1.2.3")),
            ("2024-01-01", text("2024-01-01")),
            ("-", text("-")),
            (".", text(".")),
            ("-.inf", Data::Float(f64::NEG_INFINITY)),
            ("yes", Data::Bool(true)),
            ("Off", Data::Bool(false)),
            ("y", text("y")),
            ("n", text("n")),
            ("~", Data::Null),
            ("", Data::Null),
            ("null", Data::Null),
            ("none", text("none")),
            ("18446744073709551615", Data::Large(u64::MAX)),
            ("10.77.0.1", text("10.77.0.1")),
            ("10.77.0.0/24", text("10.77.0.0/24")),
        ];
        for (source, expected) in cases {
            assert_eq!(plain(source), Ok(expected), "{source}");
        }
        assert!(plain("18446744073709551616").is_err());
        assert!(matches!(plain(".nan"), Ok(Data::Float(number)) if number.is_nan()));
    }
}
