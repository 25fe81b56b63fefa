use super::*;
use crate::build::Builder;
use crate::read;

fn named() -> Builder {
    let mut builder = Builder::default();
    builder.computer("HV-03");
    builder.drive(1, "  NVMe Dell P5600 ", 2);
    builder.drive(0, "Msft Virtual Disk", 0);
    builder.partition(1, 1 << 20, 1 << 30, "C:");
    builder
}

#[test]
fn machine_disks_and_partitions_are_read() {
    let system = read(&*named().file()).unwrap().system;
    assert_eq!(system.computer.as_deref(), Some("HV-03"));
    let drive = |disk, model: &str, partitions| PhysicalDrive {
        disk,
        model: model.to_owned(),
        sector_bytes: 512,
        partitions,
    };
    assert_eq!(
        system.drives.into_iter().collect::<Vec<_>>(),
        [drive(0, "Msft Virtual Disk", 0), drive(1, "NVMe Dell P5600", 2)]
    );
    assert_eq!(
        system.partitions.into_iter().collect::<Vec<_>>(),
        [Partition {
            disk: 1,
            offset: 1 << 20,
            length: 1 << 30,
            letter: "C:".to_owned(),
            file_system: "ReFS".to_owned(),
        }]
    );
}

#[test]
fn what_two_sessions_said_stands_once() {
    let mut twice = named();
    twice.drive(1, "NVMe Dell P5600", 2);
    assert_eq!(
        read(&*twice.file()).unwrap().system,
        read(&*named().file()).unwrap().system
    );
}

#[test]
fn record_that_is_too_short_is_a_fault_with_its_place() {
    let mut system = System::default();
    assert_eq!(system.take(10, &[0; 531]), Taken::TooShort("SystemConfig/CPU"));
    assert_eq!(system.take(11, &[0; 555]), Taken::TooShort("SystemConfig/PhyDisk"));
    assert_eq!(system.take(12, &[0; 103]), Taken::TooShort("SystemConfig/LogDisk"));
    assert_eq!(system.take(13, &[]), Taken::NotWanted);
    assert_eq!(system, System::default());

    let mut builder = Builder::default();
    builder.hook(0x0b0b, 2, 0, &[0; 100]);
    let report = read(&*builder.file()).unwrap().report;
    assert_eq!((report.fault_count, report.faults[0].offset), (1, 4096));
}
