//! The engine as a whole, on a made-up cluster whose truth is known.

mod bulk;
mod clocks;
mod cluster;
mod devices;
mod honest;
mod lacking;
mod legs;
mod losses;
mod options;
mod play;
mod same_rows;
mod traffic;
mod truth;
mod unplaced;
mod waiting;
