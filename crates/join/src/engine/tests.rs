//! The engine as a whole, on a made-up cluster whose truth is known.

mod attempts;
mod bulk;
mod caches;
mod clocks;
mod cluster;
mod devices;
mod honest;
mod lacking;
mod legs;
mod losses;
mod merged;
mod moves;
mod options;
mod parity;
mod play;
mod same_rows;
mod shifts;
mod silent;
mod slices;
mod traffic;
mod truth;
mod unplaced;
mod waiting;
