//! The closed lists that complaints are described by: a stable name and a label each.

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident, $what:literal, default $default:ident { $($(#[$vdoc:meta])* $variant:ident = $key:literal, $label:literal;)+ }) => {
        closed_list!($(#[$doc])* $name, $what { $($(#[$vdoc])* $variant = $key, $label;)+ });

        impl Default for $name {
            fn default() -> Self {
                Self::$default
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $key:literal, $label:literal;)+ }) => {
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use complaint_core::complaint::", stringify!($name), ";")]
        ///
        #[doc = concat!("for one in ", stringify!($name), "::ALL {")]
        ///     assert_eq!(one.name().parse(), Ok(*one)); // as stored, and as the API has it
        ///     assert!(!one.label().is_empty()); // as people read it
        /// }
        #[doc = concat!("assert!(\"other than these\".parse::<", stringify!($name), ">().is_err());")]
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $key)] $variant,)+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [$name] = &[$(Self::$variant,)+];

            /// The stable name, as stored and as used by the API.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $key,)+ }
            }

            /// What people read.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::InvalidId;

            fn from_str(name: &str) -> Result<Self, $crate::id::InvalidId> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|known| known.name() == name)
                    .ok_or($crate::id::InvalidId::new($what, concat!("one of: ", $($key, " ",)+)))
            }
        }
    };
}

pub(super) use closed_list;
