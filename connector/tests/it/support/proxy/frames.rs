//! Requests of Kafka's protocol in a stream of bytes: four bytes of length, then an `api_key` of two, then the rest.

/// The bytes that tell of a request where it ends and what it is.
const HEAD: usize = 6;

/// Where a stream stands: which request it is in, and whether that one is let through.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: Vec<u8>,
    /// Of the request it is in.
    left: usize,
    drops: bool,
}

// === impl Frames ===

impl Frames {
    /// Gives back those of `bytes` that may pass, and how many requests were begun that may not. Asks `swallows` about the
    /// `api_key` of each request that begins. The head of a request is held back until it is whole.
    pub(super) fn sift(&mut self, mut bytes: &[u8], mut swallows: impl FnMut(i16) -> bool) -> (Vec<u8>, usize) {
        let (mut passed, mut num_swallowed) = (Vec::with_capacity(bytes.len()), 0);
        while !bytes.is_empty() {
            if self.left == 0 {
                let (more, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
                self.head.extend_from_slice(more);
                bytes = rest;
                let Ok([l0, l1, l2, l3, key @ ..]) = <[u8; HEAD]>::try_from(self.head.as_slice()) else { break };
                self.drops = swallows(i16::from_be_bytes(key));
                num_swallowed += usize::from(self.drops);
                if !self.drops {
                    passed.append(&mut self.head);
                }
                self.head.clear();
                // The key is part of the length.
                self.left = u32::from_be_bytes([l0, l1, l2, l3]) as usize - 2;
                continue;
            }
            let (of_this, rest) = bytes.split_at(bytes.len().min(self.left));
            if !self.drops {
                passed.extend_from_slice(of_this);
            }
            self.left -= of_this.len();
            bytes = rest;
        }
        (passed, num_swallowed)
    }
}

#[test]
fn a_swallowed_request_is_taken_out_whole_however_the_stream_is_cut() {
    let request = |key: i16, body: &[u8]| {
        [&(body.len() as u32 + 2).to_be_bytes()[..], &key.to_be_bytes(), body].concat() //
    };
    let (fetch, metadata, empty) = (request(1, b"fetch"), request(3, b"metadata"), request(3, b""));
    let stream = [fetch.clone(), metadata.clone(), fetch.clone(), empty.clone(), fetch].concat();
    for piece in 1..=stream.len() {
        let (mut frames, mut passed, mut num_swallowed) = (Frames::default(), Vec::new(), 0);
        for bytes in stream.chunks(piece) {
            let (more, num) = frames.sift(bytes, |key| key == 1);
            passed.extend(more);
            num_swallowed += num;
        }
        assert_eq!((passed, num_swallowed), ([metadata.clone(), empty.clone()].concat(), 3), "in pieces of {piece}");
    }
}
