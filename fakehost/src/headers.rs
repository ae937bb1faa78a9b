//! Header maps with the semantics of Envoy's, and their wire format in the ABI.

/// Headers or trailers: names in lower case, values any bytes, a name may come twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderMap {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

// === impl HeaderMap ===

impl HeaderMap {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value beside those of the same name.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.pairs
            .push((name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec()));
    }

    /// Replaces all values of a name; the header moves to the end (`HeaderMapImpl::setCopy` removes, then adds).
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.remove(name.as_ref());
        self.add(name, value);
    }

    /// Removes every value of a name.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        let name = name.as_ref().to_ascii_lowercase();
        self.pairs.retain(|(key, _)| *key != name);
    }

    /// The first value of a name: all that `proxy_get_header_map_value` shows of a repeated header.
    pub fn first(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = name.as_ref().to_ascii_lowercase();
        self.pairs
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The first value as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.first(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of a name.
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        self.iter()
            .filter(|(key, _)| *key == name.as_bytes())
            .map(|(_, value)| value)
            .collect()
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// `:status` as a number; 0 where it is missing or no number.
    pub fn status(&self) -> u16 {
        self.text(":status")
            .and_then(|status| status.parse().ok())
            .unwrap_or_default()
    }

    /// `content-length` as a number.
    pub fn content_length(&self) -> Option<usize> {
        self.text("content-length").and_then(|length| length.parse().ok())
    }

    /// The ABI's wire format: a count, the sizes of each name and value, then each with a NUL behind it.
    pub(crate) fn to_wire(&self) -> Vec<u8> {
        if self.pairs.is_empty() {
            return Vec::new();
        }
        let mut out = wire_size(self.pairs.len()).to_vec();
        for (name, value) in &self.pairs {
            out.extend(wire_size(name.len()));
            out.extend(wire_size(value.len()));
        }
        for bytes in self.pairs.iter().flat_map(|(name, value)| [name, value]) {
            out.extend_from_slice(bytes);
            out.push(0);
        }
        out
    }

    /// Reads the wire format; `None` where it is malformed.
    pub(crate) fn from_wire(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::new());
        }
        let (count, mut sizes) = take_size(bytes)?;
        let mut data = sizes.get(count.checked_mul(8)?..)?;
        let mut map = Self::new();
        for _ in 0..count {
            let (name_size, rest) = take_size(sizes)?;
            let (value_size, rest) = take_size(rest)?;
            sizes = rest;
            let (name, rest) = data.split_at_checked(name_size)?;
            let (value, rest) = rest.get(1..)?.split_at_checked(value_size)?;
            data = rest.get(1..)?;
            map.add(name, value);
        }
        Some(map)
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut map = Self::new();
        for (name, value) in pairs {
            map.add(name, value);
        }
        map
    }
}

fn wire_size(size: usize) -> [u8; 4] {
    u32::try_from(size).expect("a header map of 4 GiB").to_le_bytes()
}

fn take_size(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head) as usize, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_format_keeps_every_byte_and_every_duplicate() {
        let map: HeaderMap = [(&b"X-A"[..], &b"\xff\0"[..]), (b"x-a", b""), (b"b", b"2")]
            .into_iter()
            .collect();
        let back = HeaderMap::from_wire(&map.to_wire()).unwrap();
        assert_eq!(back, map);
        assert_eq!(back.all("x-a"), [&b"\xff\0"[..], b""]);
    }

    #[test]
    fn setting_a_header_replaces_all_its_values() {
        let mut map: HeaderMap = [("a", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        map.set("A", "4");
        assert_eq!(map.all("a"), [b"4"]);
        assert_eq!(map.len(), 2);
    }

    #[test]
    fn a_cut_off_wire_map_is_refused() {
        let mut wire = HeaderMap::from_iter([("name", "value")]).to_wire();
        wire.pop();
        assert_eq!(HeaderMap::from_wire(&wire), None);
    }
}
