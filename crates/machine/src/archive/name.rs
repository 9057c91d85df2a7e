//! Names inside an archive, and where its links lead.

/// The parts of an entry's name, without the leading `strip` ones.
///
/// # Errors
/// Why the name may not be used.
pub fn parts(name: &[u8], strip: usize) -> Result<Vec<Vec<u8>>, String> {
    if name.starts_with(b"/") {
        return Err("is an absolute path".to_owned());
    }
    plain(name)?;
    let parts: Vec<&[u8]> =
        name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&b"..".as_slice()) {
        return Err("leads out of the archive".to_owned());
    }
    if parts.iter().any(|part| part.len() > 255) {
        return Err("holds a part that is longer than 255 bytes".to_owned());
    }
    let parts: Vec<Vec<u8>> = parts.into_iter().skip(strip).map(<[u8]>::to_vec).collect();
    match parts.first() {
        Some(first) if first == b".paquerette" => {
            Err("is a name that paquerette keeps for itself".to_owned())
        }
        _ if parts.len() > 64 => Err("is in more than 64 directories".to_owned()),
        _ => Ok(parts),
    }
}

/// Whether a link in a directory of that depth stays inside: up at most to the top, then only down. What it then goes
/// through are directories or links of which the same is true.
///
/// # Errors
/// Why the link may not be made.
pub fn stays_inside(target: &[u8], depth: usize) -> Result<(), String> {
    let leads = |how: &str| Err(format!("is a link that {how}: `{}`", target.escape_ascii()));
    if target.is_empty() || target.starts_with(b"/") {
        return leads("leads to an absolute path");
    }
    if plain(target).is_err() {
        return leads("holds a control character");
    }
    let parts: Vec<&[u8]> =
        target.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    let up = parts.iter().take_while(|part| **part == b"..").count();
    match up > depth || parts[up..].contains(&b"..".as_slice()) {
        true => leads("may lead out of the archive"),
        false => Ok(()),
    }
}

fn plain(name: &[u8]) -> Result<(), String> {
    match name.iter().any(|byte| byte.is_ascii_control()) {
        true => Err("holds a control character".to_owned()),
        false if name.len() > 3000 => Err("is longer than 3000 bytes".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_go_up_to_the_top_and_then_only_down() {
        for (target, depth) in [("a", 0), ("../a", 1), ("../../x/y", 2), ("./a/./b", 0), ("..", 1)] {
            assert_eq!(stays_inside(target.as_bytes(), depth), Ok(()), "{target}");
        }
        for (target, depth) in
            [("", 0), ("/etc", 3), ("..", 0), ("../../a", 1), ("p/p/../../..", 3), ("a/..", 3), ("a\n", 1)]
        {
            assert!(stays_inside(target.as_bytes(), depth).is_err(), "{target}");
        }
    }

    #[test]
    fn a_name_that_leaves_the_directory_is_refused_before_anything_is_dropped_from_it() {
        assert_eq!(parts(b"./top//a/b/", 1).unwrap(), [b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(parts(b"top", 1).unwrap(), Vec::<Vec<u8>>::new());
        for name in
            [&b"/a"[..], b"../a", b"top/../../a", b"a/..", b"top/a\nb", b"top/.paquerette/release", b"a\0b"]
        {
            assert!(parts(name, 1).is_err(), "{}", name.escape_ascii());
        }
    }
}
