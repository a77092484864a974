//! User names and ids.

use std::fs;
use std::process::Command;

/// A user id, given by number or by name.
///
/// # Errors
/// A sentence where there is no such user.
pub fn parse(text: &str) -> Result<u32, String> {
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    let local = fs::read_to_string("/etc/passwd").ok().and_then(|users| id(&users, text));
    local.or_else(|| elsewhere(text)).ok_or_else(|| format!("there is no user {text:?}"))
}

/// The id of a user in lines as passwd(5) has them.
fn id(users: &str, name: &str) -> Option<u32> {
    let mut fields = users.lines().map(|line| line.split(':'));
    let mut fields = fields.find(|fields| fields.clone().next() == Some(name))?;
    fields.nth(2)?.parse().ok()
}

/// The id of a user whom the machine knows from a directory service. The C library asks such services with parts that it
/// loads while it runs, which a static program cannot: getent(1) can.
fn elsewhere(name: &str) -> Option<u32> {
    let output = Command::new("getent").args(["passwd", "--", name]).output().ok()?;
    id(&String::from_utf8_lossy(&output.stdout), name)
}

#[cfg(test)]
mod tests {
    use super::{elsewhere, id, parse};

    #[test]
    fn numbers_and_names() {
        assert_eq!(parse("65534"), Ok(65534));
        assert_eq!(parse("root"), Ok(0));
        assert!(parse("no such user").is_err());
        assert!(parse("-1").is_err());
    }

    #[test]
    fn lines_of_users() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\na:x:b\nme:x:1000:1000::/:";
        assert_eq!(
            ["root", "me", "broken", "a", "x"].map(|name| id(users, name)),
            [Some(0), Some(1000), None, None, None]
        );
    }

    #[test]
    fn getent_knows_users() {
        assert_eq!((elsewhere("root"), elsewhere("no such user")), (Some(0), None));
    }
}
