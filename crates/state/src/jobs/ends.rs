//! The two ends of an association: what each is named by, in whatever form it was written.
//!
//! An end is a reference: to WMI the path of an object, to a cmdlet an object that has its keys alone, and where that was cut off the text
//! that stands for one.

use crate::bag::{Bag, Raw};

/// The association with each end as an object that has an `ObjectId`, where one can be read off it.
pub(crate) fn ends(bag: &Bag) -> Bag {
    let mut bag = bag.clone();
    for role in ["StorageJob", "AffectedStorageObject"] {
        let id = match bag.get(role) {
            Some(Raw::Text(text)) => object_id(text),
            _ => None,
        };
        if let Some(id) = id {
            bag.set(role, Raw::Object(Bag::default().with("ObjectId", Raw::Text(id))));
        }
    }
    bag
}

/// The ObjectId within a path, `\\HOST\root\…:MSFT_StorageJob.ObjectId="…"` with quotes and backslashes escaped, or within what PowerShell
/// prints of a reference, `MSFT_StorageJob (ObjectId = "…")`, where they are not.
fn object_id(text: &str) -> Option<String> {
    const PATH: &str = "ObjectId=\"";
    const PRINTED: &str = "(ObjectId = \"";
    if let Some(at) = text.find(PRINTED) {
        let id = text[at + PRINTED.len()..].strip_suffix("\")")?;
        return (!id.is_empty()).then(|| id.to_owned());
    }
    let rest = &text[text.find(PATH)? + PATH.len()..];
    let mut id = String::new();
    let mut letters = rest.chars();
    loop {
        match letters.next()? {
            '"' => break,
            '\\' => id.push(letters.next()?),
            letter => id.push(letter),
        }
    }
    (!id.is_empty()).then_some(id)
}

/// What two spellings of one object's id have in common: what its own provider calls it, without the name of the server that was asked, which
/// stands in front. `{1}\\HV01\root/Microsoft/Windows/Storage/Providers_v2\SPACES_VirtualDisk.ObjectId="{a}:VD:{b}"` is `{a}:vd:{b}`.
pub(crate) fn key(id: &str) -> String {
    let lower = id.trim().to_lowercase();
    let own = lower.rsplit_once("objectid=").map_or(lower.as_str(), |(_, own)| own);
    own.trim_matches(['"', '\\', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str =
        r#"{1}\\HV01\root/Microsoft/Windows/Storage/Providers_v2\SPACES_VirtualDisk.ObjectId="{a}:VD:{b}""#;

    #[test]
    fn an_end_is_read_in_each_form() {
        let escaped = ID.replace('\\', r"\\").replace('"', r#"\""#);
        for text in [
            format!(r#"\\HV01\ROOT\Microsoft\Windows\Storage:MSFT_VirtualDisk.ObjectId="{escaped}""#),
            format!(r#"MSFT_VirtualDisk.ObjectId="{escaped}""#),
            format!(r#"MSFT_VirtualDisk (ObjectId = "{ID}")"#),
        ] {
            assert_eq!(object_id(&text).as_deref(), Some(ID), "{text}");
        }
        for text in [
            "",
            "MSFT_VirtualDisk",
            r#"X.ObjectId="open"#,
            r#"X.ObjectId="\"#,
            r#"X.ObjectId="""#,
            "X (ObjectId = \"open",
        ] {
            assert_eq!(object_id(text), None, "{text}");
        }
    }

    #[test]
    fn an_object_is_the_same_whoever_was_asked() {
        let other = ID.replace("HV01", "cluster.contoso.com");
        assert_eq!(key(ID), "{a}:vd:{b}");
        assert_eq!(key(&other), key(ID));
        assert_ne!(key(&ID.replace("{b}", "{c}")), key(ID));
        assert_eq!(key("{JOB-1}"), "{job-1}");
    }
}
