//! Settings of the network as classes and cmdlets give them, what of them differs, and pairs of nodes.

use fathom_model::NodeId;
use fathom_model::state::{Code, Kind, Observation, Value};
use fathom_state::history::Picture;
use fathom_state::qos::Setting;
use fathom_state::rdma::Transport;
use fathom_state::{Bag, Raw, decode, decode_all, qos, rdma, support};

fn picture(observations: &[Observation]) -> Picture {
    let mut picture = Picture::at(99);
    observations.iter().for_each(|observation| picture.add(observation));
    picture
}

fn object(class: &str, properties: &[(&str, Raw)]) -> Bag {
    let mut bag = Bag::default();
    bag.class = Some(class.to_owned());
    for (name, value) in properties {
        bag.set(name, value.clone());
    }
    bag
}

fn text(text: &str) -> Raw {
    Raw::Text(text.to_owned())
}

fn numbers(all: &[i128]) -> Raw {
    Raw::List(all.iter().map(|number| Raw::Integer(*number)).collect())
}

fn read(node: &str, bag: &Bag) -> Observation {
    decode(bag, &node.into(), 9).expect("it decodes").remove(0)
}

/// As the class gives it: of what a policy does not match by and does not do it says 0, or -1.
fn policy(node: &str, name: &str, own: &[(&str, i128)]) -> Observation {
    let mut bag = object("MSFT_NetQosPolicySettingData", &[("Name", text(name))]);
    for none in [
        "IPPortMatchCondition",
        "IPDstPortStartMatchCondition",
        "IPDstPortEndMatchCondition",
        "IPSrcPortStartMatchCondition",
        "IPSrcPortEndMatchCondition",
        "IPProtocolMatchCondition",
        "NetDirectPortMatchCondition",
        "TemplateMatchCondition",
        "ThrottleRateAction",
        "MinBandwidthWeightAction",
    ] {
        bag.set(none, Raw::Integer(0));
    }
    for none in ["PriorityValue8021Action", "DSCPAction"] {
        bag.set(none, Raw::Integer(-1));
    }
    for (property, value) in own {
        bag.set(property, Raw::Integer(*value));
    }
    read(node, &bag)
}

fn drifting(all: &[Observation]) -> Vec<Setting> {
    let nodes: Vec<NodeId> = ["n1", "n2", "n3"].map(NodeId::from).to_vec();
    let settings = qos::settings(&picture(all), &nodes);
    settings.into_iter().filter(|setting| setting.drift).collect()
}

/// Policies were held against each other by priority, NetDirect port and template alone.
#[test]
fn policies_differ_by_what_they_match_and_by_all_that_they_do() {
    let cases: &[(&str, i128, i128, &str)] = &[
        ("DSCPAction", 46, -1, "DSCP"),
        ("ThrottleRateAction", 1_000_000, 0, "throttle"),
        ("MinBandwidthWeightAction", 20, 0, "bandwidth weight"),
        ("IPPortMatchCondition", 445, 0, "port"),
        ("IPDstPortStartMatchCondition", 3343, 445, "destination port"),
        ("IPDstPortEndMatchCondition", 3343, 3344, "last destination port"),
        ("IPProtocolMatchCondition", 1, 2, "protocol"),
        ("TemplateMatchCondition", 4, 0, "template"),
        ("PriorityValue8021Action", 0, -1, "priority"),
    ];
    for (property, most, odd, what) in cases {
        let of = |node: &str, value: i128| policy(node, "SMB", &[(property, value)]);
        let found = drifting(&[of("n1", *most), of("n2", *most), of("n3", *odd)]);
        let [setting] = &found[..] else {
            panic!("{property}: {found:?}")
        };
        assert_eq!(
            (setting.what.as_str(), &setting.odd[..]),
            (*what, &[NodeId::from("n3")][..])
        );
    }
    // What no policy sets is no setting.
    let nodes: Vec<NodeId> = vec!["n1".into()];
    let all = [policy("n1", "SMB", &[("PriorityValue8021Action", 3)])];
    let whats: Vec<String> = qos::settings(&picture(&all), &nodes)
        .into_iter()
        .map(|setting| setting.what)
        .collect();
    assert_eq!(whats, ["priority"]);
}

fn adapter(node: &str, bandwidth: &[i128], remote: &[i128]) -> Observation {
    let tables = |bandwidth: &[i128], classes: &[i128]| {
        let bag = Bag::default().with("BandwidthAssignmentTable", numbers(bandwidth));
        let bag = bag.with("TsaAssignmentTable", numbers(&[2, 2, 0]));
        Raw::Object(bag.with("PriorityAssignmentTable", numbers(classes)))
    };
    let own = [
        ("Name", text("SMB1")),
        ("OperationalSettings", tables(bandwidth, &[0, 0, 0, 1])),
        ("RemoteSettings", tables(remote, &[0, 0, 0, 0])),
    ];
    read(node, &object("MSFT_NetAdapterQosSettingData", &own))
}

/// Of adapters the flow control alone was held against other nodes' and against the switch's.
#[test]
fn adapters_differ_by_their_shares_and_from_what_the_switch_says() {
    let all = [
        adapter("n1", &[50, 50, 0], &[50, 50, 0]),
        adapter("n2", &[50, 50, 0], &[100, 0, 0]),
        adapter("n3", &[90, 10, 0], &[90, 10, 0]),
    ];
    let found = drifting(&all);
    let [setting] = &found[..] else { panic!("{found:?}") };
    assert_eq!(setting.what, "bandwidth % by traffic class");
    assert_eq!(setting.odd, ["n3".into()]);
    assert_eq!(setting.notes, ["n2: the switch says something else (100, 0, 0)"]);
    let nodes: Vec<NodeId> = vec!["n1".into()];
    let own = qos::settings(&picture(&all[..1]), &nodes);
    let of = |what: &str| own.iter().find(|setting| setting.what == what).expect("it is there");
    let selection = of("selection by traffic class");
    assert_eq!(selection.values[&nodes[0]].as_deref(), Some("ETS, ETS, Strict"));
    assert_eq!(
        of("traffic class by priority").notes,
        ["n1: the switch says something else (0, 0, 0, 0)"]
    );
    // What RDMA of an adapter is, and what its driver does not count.
    let rdma = |node: &str, technology: i128, ets: i128| {
        let info = Bag::default().with("RdmaTechnology", Raw::Integer(technology));
        let missing = Bag::default()
            .with("RDMAInOctetsPerformanceCounterMissing", Raw::Bool(true))
            .with("ConnectPerformanceCounterMissing", Raw::Bool(false));
        let own = [
            ("Name", text("SMB1")),
            ("Enabled", Raw::Bool(true)),
            ("ETS", Raw::Integer(ets)),
            ("RdmaAdapterInfo", Raw::Object(info)),
            ("RdmaMissingCounterInfo", Raw::Object(missing)),
        ];
        read(node, &object("MSFT_NetAdapterRdmaSettingData", &own))
    };
    let all = [rdma("n1", 4, 1), rdma("n2", 1, 0), rdma("n3", 4, 1)];
    let whats: Vec<String> = drifting(&all).into_iter().map(|setting| setting.what).collect();
    assert_eq!(whats, ["RDMA technology", "ETS of RDMA"]);
    assert_eq!(all[0].text("technology"), Some("RoCEv2"));
    let missing = Value::List(vec![Value::from("RDMAInboundBytesPersec")]);
    assert_eq!(all[0].get("counters_missing"), Some(&missing));
}

/// The shares of Get-NetQosTrafficClass were lost, for their column is called otherwise, and its other columns too.
#[test]
fn printed_traffic_classes_have_their_share_and_no_column_is_lost() {
    let printed = "
Name                      Algorithm Bandwidth(%) Priority                  PolicySet        IfIndex IfAlias
----                      --------- ------------ --------                  ---------        ------- -------
[Default]                 ETS       40           0-2,4-7                   Global
SMB                       ETS       60           3                         Adapter          7       vSMB1
";
    let bags = support::bags("GetNetQosTrafficClass.txt", printed.as_bytes()).expect("a table");
    let read = decode_all(&bags, &"n1".into(), 9);
    let shares: Vec<Option<u64>> = read
        .observations
        .iter()
        .map(|row| row.number("bandwidth_percent"))
        .collect();
    assert_eq!(shares, [Some(40), Some(60)]);
    let smb = &read.observations[1];
    assert_eq!((smb.id.as_str(), smb.text("interface")), ("SMB/vSMB1", Some("vSMB1")));
    assert_eq!(
        smb.get("other_columns"),
        Some(&Value::List(vec![Value::from("IfIndex: 7")]))
    );
    assert_eq!(read.observations[0].get("other_columns"), None);
}

/// What Get-NetAdapterRdma prints by itself was of nothing that is known.
#[test]
fn rdma_of_adapters_is_read_as_the_cmdlet_prints_it() {
    let printed = "
Name                      InterfaceDescription                     Enabled     Operational     PFC        ETS
----                      --------------------                     -------     -----------     ---        ---
SMB1                      Mellanox ConnectX-5 Adapter              True        True            True       True
SMB2                      Mellanox ConnectX-5 Adapter #2           True        False           NA         NA
";
    let bags = support::bags("GetNetAdapterRdma.txt", printed.as_bytes()).expect("a table");
    let read = decode_all(&bags, &"n1".into(), 9);
    assert_eq!(read.refused, []);
    let said = |row: &Observation| (row.kind, row.flag("operational"), row.text("pfc").map(str::to_owned));
    let said: Vec<_> = read.observations.iter().map(said).collect();
    let wanted = [
        (Kind::AdapterRdma, Some(true), Some("True".to_owned())),
        (Kind::AdapterRdma, Some(false), Some("NA".to_owned())),
    ];
    assert_eq!(said, wanted);
}

/// A connection of the storage bus.
fn connection(id: &str, rdma: u64, tcp: u64) -> Observation {
    let bus = Code {
        code: Some(2),
        name: Some("SBL".to_owned()),
    };
    Observation::new("n1".into(), Kind::SmbConnection, id, 10)
        .with("server", "n2")
        .with("instance", bus)
        .with("client_interface", id)
        .with("client_rdma_capable", true)
        .with("server_rdma_capable", true)
        .with("rdma_connections", rdma)
        .with("tcp_connections", tcp)
        .with("failures", 1_u64)
}

fn pair(all: &[Observation]) -> rdma::Pair {
    let nodes: Vec<NodeId> = vec!["n1".into(), "n2".into()];
    rdma::matrix(&picture(all), &nodes, all).remove(0)
}

/// The transport was that of connections that are used, and the counts, the fallback and the interfaces were those of all.
#[test]
fn a_pair_says_the_same_of_its_connections_throughout() {
    let used = connection("SMB1", 2, 0).with("selected", true).with("failed", false);
    let idle = connection("Mgmt", 0, 4).with("selected", false);
    let failed = connection("SMB2", 0, 2).with("failed", true);
    let other = Observation {
        attributes: [("instance".to_owned(), Value::from("Default"))].into(),
        ..connection("other", 0, 0)
    };
    let other = connection("Files", 0, 8).with("instance", other.attributes["instance"].clone());
    let all = [used, idle, failed, other];
    let said = pair(&all);
    assert_eq!((said.transport, said.fallback), (Transport::Rdma, false));
    assert_eq!((said.rdma_connections, said.tcp_connections), (Some(2), Some(0)));
    assert_eq!(said.interfaces, ["SMB1"]);
    // Failures are of those that are not used any more, too.
    assert_eq!(said.failures, Some(4));
    assert_eq!(said.notes, ["a connection has failed"]);
    let said = pair(&all[1..3]);
    assert_eq!((said.transport, said.fallback), (Transport::None, false));
    assert_eq!((said.rdma_connections, said.tcp_connections), (Some(0), Some(0)));
    assert!(
        said.notes.contains(&"none of its connections is used".to_owned()),
        "{:?}",
        said.notes
    );
}

/// Of the conditions that a policy for SMB over TCP can have one was read, and the template of the class is a number.
#[test]
fn the_priority_over_tcp_is_that_of_whatever_policy_is_for_it() {
    let priority = |own: &[(&str, i128)]| {
        let own = [own, &[("PriorityValue8021Action", 3)]].concat();
        pair(&[connection("SMB1", 0, 2), policy("n1", "SMB", &own)]).priority
    };
    assert_eq!(priority(&[("IPPortMatchCondition", 445)]), Some(3));
    assert_eq!(priority(&[("TemplateMatchCondition", 4)]), Some(3));
    let range = [
        ("IPDstPortStartMatchCondition", 440),
        ("IPDstPortEndMatchCondition", 450),
    ];
    assert_eq!(priority(&range), Some(3));
    assert_eq!(priority(&range[..1]), None);
    assert_eq!(priority(&[("TemplateMatchCondition", 5)]), None);
    // Where there is none it is said why.
    let said = pair(&[
        connection("SMB1", 0, 2),
        policy(
            "n1",
            "SMB",
            &[("NetDirectPortMatchCondition", 445), ("PriorityValue8021Action", 3)],
        ),
    ]);
    assert_eq!(said.priority, None);
    let why = "no policy of n1 sets a priority for port 445 over TCP".to_owned();
    assert!(said.notes.contains(&why), "{:?}", said.notes);
    let said = pair(&[connection("SMB1", 0, 2)]);
    let why = "n1 has not reported its policies, which set the priority".to_owned();
    assert!(said.notes.contains(&why), "{:?}", said.notes);
}
