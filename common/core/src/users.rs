//! User names and ids.

/// A user id, given by number or by name.
///
/// # Errors
/// A sentence where there is no such user.
pub fn parse(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    uzers::get_user_by_name(text).map(|user| user.uid()).ok_or_else(|| format!("there is no user {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn numbers_and_names() {
        assert_eq!(parse("65534"), Ok(65534));
        assert_eq!(parse("root"), Ok(0));
        assert!(parse("no such user").is_err());
        assert!(parse("-1").is_err());
    }
}
