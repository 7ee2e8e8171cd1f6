//! Write a Sluice transform: one function over a borrowed Kafka record that emits lines of InfluxDB line protocol.
//!
//! ```
//! use sluice_transform::{Emitter, Key, Measurement, Record, Reject, Settings, Transform};
//!
//! /// `21.5` in the topic `attic` becomes `temperature,room=attic celsius=21.5`.
//! struct Temperature {
//!     measurement: Measurement,
//!     field: Key,
//! }
//!
//! impl Transform for Temperature {
//!     fn configure(settings: &mut Settings) -> Result<Self, String> {
//!         Ok(Self {
//!             measurement: settings.measurement("measurement", "temperature"),
//!             field: settings.field_key("unit", "celsius"),
//!         })
//!     }
//!
//!     fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject> {
//!         let Some(value) = record.value() else { return Ok(()) };
//!         out.line(&self.measurement)?.tag("room", record.topic())?.field_float_text(&self.field, value)?.end();
//!         Ok(())
//!     }
//! }
//!
//! sluice_transform::export!(Temperature);
//!
//! # use sluice_transform::testing;
//! let outcome = testing::run::<Temperature>(&[("unit", "degrees")], &[testing::Record::value("21.5").topic("attic")])?;
//! assert_eq!(outcome.lines, [(0, "temperature,room=attic degrees=21.5".to_owned())]);
//! # Ok::<(), String>(())
//! ```
//!
//! `cargo build --release --target wasm32-unknown-unknown` on a crate with `crate-type = ["cdylib"]` gives the `.wasm`
//! that a connector's `transform.module` names. No other tool is needed.
//!
//! What happens to a record is the answer of [`Transform::transform`]:
//!
//! | the function | the record |
//! | --- | --- |
//! | ends one line or more and returns `Ok` | is written |
//! | ends no line and returns `Ok` | is filtered |
//! | returns a [`Reject`] | is rejected, and lines it had are taken back |
//! | panics | ends the instance; the host finds the record at fault and rejects it, and the message is in the log |

mod emitter;
mod line;
mod number;
mod record;
mod refused;
mod reject;
mod settings;
mod split;
mod text;
mod words;

pub mod bindings;
pub mod columns;
pub mod log;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use emitter::Emitter;
pub use line::{Line, WithFields, WithTags};
pub use record::{Header, Headers, Record};
pub use refused::{Fault, Part, Refused};
pub use reject::Reject;
pub use settings::Settings;
pub use split::{Parts, split, trim};
pub use text::{AsKey, AsMeasurement, Key, Measurement};

/// A transform: settings in, then lines for each record.
///
/// Nothing may be carried from one record to the next: the host runs any number of instances and throws them away when
/// it likes. `&mut self` is there for buffers that are reused.
pub trait Transform: Sized {
    /// Reads the settings `transform.config.<key>`. Ask [`Settings`] for each one; a bad value and a setting that was
    /// never asked for are refused afterwards, all in one message.
    ///
    /// # Errors
    /// Anything else that is wrong with the settings, in words for the person who wrote them.
    fn configure(settings: &mut Settings) -> Result<Self, String>;

    /// The optional columns to be sent along with the values. None by default: each one is a copy.
    fn inputs(&self) -> Inputs {
        Inputs::default()
    }

    /// Turns one record into lines.
    ///
    /// # Errors
    /// The record can't be accepted. The host adds topic, partition and offset; the value is put beside the reason.
    fn transform(&mut self, record: &Record<'_>, out: &mut Emitter) -> Result<(), Reject>;
}

/// The optional columns that a transform wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// For [`Record::key`].
    pub keys: bool,
    /// For [`Record::headers`].
    pub headers: bool,
    /// For [`Record::timestamp_ms`].
    pub timestamps: bool,
    /// For [`Record::offset`].
    pub offsets: bool,
}

/// Makes a type that implements [`Transform`] the transform of this module. Once per crate; does nothing except for
/// WebAssembly, so that the same crate is tested natively.
#[macro_export]
macro_rules! export {
    ($transform:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Guest;

            ::std::thread_local! {
                static INSTANCE: ::std::cell::RefCell<Option<$crate::columns::Instance<$transform>>> =
                    const { ::std::cell::RefCell::new(None) };
            }

            impl $crate::bindings::Guest for Guest {
                fn configure(
                    settings: ::std::vec::Vec<$crate::bindings::Setting>,
                ) -> Result<$crate::bindings::Inputs, ::std::string::String> {
                    $crate::log::report_panics();
                    let (instance, inputs) = $crate::columns::Instance::configure(settings)?;
                    INSTANCE.with_borrow_mut(|slot| *slot = Some(instance));
                    Ok(inputs)
                }

                fn transform(batch: $crate::bindings::Batch) -> $crate::bindings::Output {
                    INSTANCE.with_borrow_mut(|slot| {
                        slot.as_mut().expect("the host configures an instance before its first batch").transform(&batch)
                    })
                }
            }

    $crate::bindings::export!(Guest with_types_in $crate::bindings);
        };
    };
}
