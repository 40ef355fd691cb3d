//! Where the mesh's images are: beside the operator's own, unless the spec says otherwise.

/// Registry, path and tag of the mesh's images.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// Such as `ghcr.io/weft`.
    pub hub: String,
    /// Such as `0.1.0`; `None` where the operator's image has a digest in its place.
    pub tag: Option<String>,
}

impl Origin {
    /// The origin of `image`, the operator's own, such as `ghcr.io/weft/weft-operator:0.1.0`.
    pub fn of(image: &str) -> Self {
        let (name, digest) = match image.split_once('@') {
            Some((name, _)) => (name, true),
            None => (image, false),
        };
        // A colon before the last slash belongs to the registry's port.
        let slash = name.rfind('/');
        let colon = name
            .rfind(':')
            .filter(|colon| slash.is_none_or(|slash| slash < *colon));
        let tag = colon.map(|colon| name[colon + 1..].to_owned());
        Self {
            hub: slash.map_or(String::new(), |slash| name[..slash].to_owned()),
            tag: tag.filter(|_| !digest),
        }
    }

    /// The image of `program`.
    pub fn image(&self, program: &str, version: &str) -> String {
        let tag = self.tag.as_deref().unwrap_or(version);
        match self.hub.as_str() {
            "" => format!("{program}:{tag}"),
            hub => format!("{hub}/{program}:{tag}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sibling_images_come_from_where_the_operator_came_from() {
        let table = [
            (
                "ghcr.io/weft/weft-operator:0.1.0",
                "ghcr.io/weft/weft-proxy:0.1.0",
            ),
            (
                "localhost:5000/weft-operator:dev",
                "localhost:5000/weft-proxy:dev",
            ),
            (
                "localhost:5000/weft-operator",
                "localhost:5000/weft-proxy:9.9.9",
            ),
            ("weft-operator", "weft-proxy:9.9.9"),
            (
                "r.io/w/weft-operator:1@sha256:ab",
                "r.io/w/weft-proxy:9.9.9",
            ),
        ];
        for (own, sibling) in table {
            assert_eq!(
                Origin::of(own).image("weft-proxy", "9.9.9"),
                sibling,
                "{own}"
            );
        }
    }
}
