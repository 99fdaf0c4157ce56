//! Sets of buckets: what a worker has of a connector.

use std::ops::{BitAnd, BitOr, Sub};

use crate::Bucket;

/// Some of the [`Bucket::COUNT`] buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets(u16);

// Each bucket has a bit.
const _: () = assert!(Bucket::COUNT == u16::BITS);

// === impl Buckets ===

impl Buckets {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(u16::MAX);

    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    pub fn contains(self, bucket: Bucket) -> bool {
        !(self & Self::from(bucket)).is_empty()
    }

    /// In their order.
    pub fn iter(self) -> impl Iterator<Item = Bucket> + Clone {
        (0..Bucket::COUNT)
            .map(Bucket)
            .filter(move |bucket| self.contains(*bucket))
    }
}

impl From<Bucket> for Buckets {
    /// Nothing when there is no such bucket.
    fn from(bucket: Bucket) -> Self {
        Self(1u16.checked_shl(bucket.0).unwrap_or_default())
    }
}

impl FromIterator<Bucket> for Buckets {
    fn from_iter<I: IntoIterator<Item = Bucket>>(buckets: I) -> Self {
        buckets
            .into_iter()
            .fold(Self::NONE, |all, bucket| all | bucket.into())
    }
}

impl BitOr for Buckets {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Buckets {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Buckets {
    type Output = Self;

    /// Those that the other one does not have.
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in() {
        let buckets: Buckets = [Bucket(15), Bucket(0), Bucket(7), Bucket(7)]
            .into_iter()
            .collect();
        assert_eq!(
            buckets.iter().collect::<Vec<_>>(),
            [Bucket(0), Bucket(7), Bucket(15)]
        );
        assert_eq!(buckets.iter().count(), 3);
        assert!(buckets.contains(Bucket(7)) && !buckets.contains(Bucket(8)));
        assert_eq!(
            Buckets::ALL - buckets,
            Buckets::ALL
                .iter()
                .filter(|bucket| !buckets.contains(*bucket))
                .collect()
        );
        assert_eq!(buckets & Bucket(7).into(), Bucket(7).into());
        assert_eq!(
            Buckets::from(Bucket(Bucket::COUNT)),
            Buckets::NONE,
            "there is none"
        );
        assert_eq!(Buckets::ALL.iter().count(), Bucket::COUNT as usize);
    }
}
