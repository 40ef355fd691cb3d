//! Kubernetes quantities, as far as resources of a container need them.

/// `100m`, `0.5`, `64Mi`, `1G` as a number; `None` for anything else, negative ones included.
pub(super) fn parse(text: &str) -> Option<f64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let scale = match suffix {
        "m" => 1e-3,
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * scale)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn quantities_are_numbers_with_a_unit() {
        assert_eq!(parse("250m"), Some(0.25));
        assert_eq!(parse("1.5"), Some(1.5));
        assert_eq!(parse("64Mi"), Some(67_108_864.0));
        for wrong in ["", "m", "-1", "NaN", "inf", "1e3", "64 Mi", "١", "1.2.3"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
