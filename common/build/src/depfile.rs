//! The list of headers that clang writes with `-MD`, in make's syntax.

/// The inputs named by a rule `target: input input \`, spaces in names escaped by a backslash.
pub(crate) fn inputs(rule: &str) -> Vec<String> {
    let Some((_, list)) = rule.split_once(": ") else {
        return Vec::new();
    };
    let mut inputs = Vec::new();
    let mut input = String::new();
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&' ') => {
                characters.next();
                input.push(' ');
            }
            '\\' if characters.peek() == Some(&'\n') => {}
            c if c.is_whitespace() => {
                if !input.is_empty() {
                    inputs.push(std::mem::take(&mut input));
                }
            }
            c => input.push(c),
        }
    }
    if !input.is_empty() {
        inputs.push(input);
    }
    inputs
}

#[cfg(test)]
mod tests {
    use super::inputs;

    #[test]
    fn continued_lines_and_escaped_spaces() {
        let rule = "/out/a.o: /src/a.bpf.c /src/my\\ dir/b.h \\\n  /src/c.h\n";
        assert_eq!(inputs(rule), ["/src/a.bpf.c", "/src/my dir/b.h", "/src/c.h"]);
    }

    #[test]
    fn an_empty_rule_has_no_inputs() {
        assert!(inputs("").is_empty());
    }
}
