//! From suspects that are far above their equals to as few objects as explain them.

use std::collections::{BTreeMap, BTreeSet};

use fathom_model::NodeIndex;

use super::finding::{Finding, Named};
use super::judge::{Member, Scene, Usual, Verdict};
use super::tally::{Bin, margin_nanos};
use crate::blame::Suspect;

/// What is left of a family without its worst member is above its equals too from this multiple on ...
const TOO: f64 = 1.5;

/// ... and this sure.
const TOO_SURE: f64 = 8.0;

/// ... of drives as sure as one alone has to be: ways of a node share its adapters, drives have nothing that most would share.
const TOO_SURE_OF_DRIVES: f64 = 25.0;

/// A member is well when it is not surely above its equals, and as sure as this not as bad as the rest of its family.
const WELL: f64 = 4.0;

/// One object that explains what was found.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) named: Named,
    /// The far node of a link: where it is worse.
    pub(super) far: Option<NodeIndex>,
    /// Whose cost it has, with what is usual a write.
    pub(super) suspects: Vec<(usize, f64)>,
    pub(super) what: What,
    /// Whether it was held against its own past, having no equal.
    pub(super) by_past: bool,
    pub(super) margin_nanos: u64,
    pub(super) count: u32,
    pub(super) expected: f64,
    pub(super) writes: u64,
    /// In how many of them it is a way that was seen in one direction alone.
    pub(super) one_way: u64,
    pub(super) strength: f64,
}

impl Case {
    /// Whether it is beyond its margin in a second at least half as often as in the stretch of so many seconds in which it was found.
    pub(super) fn is_felt_in(&self, bin: &Bin, seconds: usize) -> bool {
        let tallies = self.suspects.iter().filter_map(|&(suspect, _)| bin.tally(suspect));
        let count: u64 = tallies.map(|tally| tally.beyond_at_least(self.margin_nanos)).sum();
        count > 0 && count as f64 >= f64::from(self.count) / seconds as f64 / 2.0
    }
}

/// Which component it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Drive,
    Target,
    Way,
    FarSide,
    Leg,
    Outside,
}

impl What {
    /// Whether a node that is found by this may be what another component of it shows: ways to it say nothing of what lies behind its
    /// bus target, and where much waits there, ways look longer.
    pub(super) const fn may_be(self, part: Self) -> bool {
        !matches!((self, part), (Self::Way, Self::FarSide))
    }
}

const fn what(suspect: Suspect) -> What {
    match suspect {
        Suspect::Disk(_) => What::Drive,
        Suspect::Node(_) => What::Target,
        Suspect::Link { .. } => What::Way,
        Suspect::FarSide(_) => What::FarSide,
        Suspect::Unseen { .. } => What::Leg,
        Suspect::Initiator(_) => What::Outside,
    }
}

/// All cases of a stretch.
pub(super) fn explain(scene: &Scene<'_>, findings: &[Finding], time: i64) -> Vec<Case> {
    let known = findings
        .iter()
        .filter(|finding| finding.is_active(time, super::OVER_SECONDS));
    let known: BTreeMap<NodeIndex, What> = known
        .filter_map(|finding| Some((finding.named.whole_node()?, finding.what())))
        .collect();
    let mut cases: BTreeMap<Named, Case> = BTreeMap::new();
    let mut explainer = Explainer {
        scene,
        cases: &mut cases,
        known: known.keys().copied().collect(),
        done: BTreeSet::new(),
    };
    explainer.ways(What::Way);
    explainer.ways(What::Leg);
    explainer.drives();
    for of in [What::Target, What::FarSide, What::Outside] {
        explainer.alone(of);
    }
    let new = cases.values();
    let new = new.filter_map(|case| Some((case.named.whole_node()?, case.what)));
    let nodes: Vec<(NodeIndex, What)> = new.chain(known).collect();
    let mut left = Vec::new();
    let mut more: Vec<(NodeIndex, Case)> = Vec::new();
    for (named, case) in cases {
        let whole = nodes.iter().find(|&&(node, what)| {
            named.whole_node() != Some(node) && named.is_part_of(node) && what.may_be(case.what)
        });
        match whole {
            Some(&(node, _)) => more.push((node, case)),
            None => left.push(case),
        }
    }
    // What a node does as an initiator costs too, and is of the node.
    for (node, case) in more {
        if let Some(whole) = left.iter_mut().find(|whole| whole.named.whole_node() == Some(node)) {
            for suspect in case.suspects {
                if !whole.suspects.iter().any(|(number, _)| *number == suspect.0) {
                    whole.suspects.push(suspect);
                }
            }
        }
    }
    left
}

struct Explainer<'a, 'b> {
    scene: &'a Scene<'a>,
    cases: &'b mut BTreeMap<Named, Case>,
    /// Nodes that were found before and still are.
    known: BTreeSet<NodeIndex>,
    /// Nodes that were found in this round of families.
    done: BTreeSet<NodeIndex>,
}

impl Explainer<'_, '_> {
    fn numbers(&self, of: &[What]) -> Vec<usize> {
        let suspects = self.scene.numbers.suspects().iter().enumerate();
        suspects
            .filter(|&(_, &suspect)| of.contains(&what(suspect)))
            .map(|(at, _)| at)
            .collect()
    }

    fn suspect(&self, number: usize) -> Suspect {
        self.scene.numbers.suspects()[number]
    }

    /// Ways: all to a node are the node, one is a link.
    fn ways(&mut self, of: What) {
        let numbers = self.numbers(&[of]);
        let far = |suspect: Suspect| match suspect {
            Suspect::Link { node, .. } | Suspect::Unseen { node, .. } => Some(node),
            _ => None,
        };
        let near = |suspect: Suspect| match suspect {
            Suspect::Link { peer, .. } | Suspect::Unseen { peer, .. } => Some(peer),
            _ => None,
        };
        // A node whose ways out are all worse is told by its own writes only where they differ from each other.
        let singles: Vec<Member> = numbers
            .iter()
            .filter_map(|&number| self.scene.member(vec![number]))
            .collect();
        self.families(&numbers, &singles, far);
        let verdicts = self.scene.judge(&singles, &singles);
        let mut out: BTreeMap<NodeIndex, Vec<usize>> = BTreeMap::new();
        for verdict in &verdicts {
            if let Some(node) = near(self.suspect(singles[verdict.member].suspects[0])) {
                out.entry(node).or_default().push(verdict.member);
            }
        }
        let whole: Vec<NodeIndex> = out
            .iter()
            .filter(|(node, bad)| {
                let all = singles
                    .iter()
                    .filter(|member| near(self.suspect(member.suspects[0])) == Some(**node))
                    .count();
                bad.len() >= 2 && bad.len() == all && singles.len() > all
            })
            .map(|(node, _)| *node)
            .collect();
        for verdict in verdicts {
            let Some(usual) = self.scene.usual(&singles, &singles[verdict.member]) else {
                continue;
            };
            let member = &singles[verdict.member];
            let suspect = self.suspect(member.suspects[0]);
            let node = near(suspect).filter(|node| whole.contains(node));
            let named = node.map_or_else(|| self.named(suspect), Named::Node);
            self.found(named, member, &usual, &verdict);
        }
        self.without_equals(&singles);
    }

    /// Drives: all of a node are the node, one is a disk.
    fn drives(&mut self) {
        let numbers = self.numbers(&[What::Drive]);
        let nodes = self.scene.numbers;
        let singles: Vec<Member> = numbers
            .iter()
            .filter_map(|&number| self.scene.member(vec![number]))
            .collect();
        self.families(&numbers, &singles, |suspect| match suspect {
            Suspect::Disk(disk) => nodes.node_of(disk),
            _ => None,
        });
        for verdict in self.scene.judge(&singles, &singles) {
            let member = &singles[verdict.member];
            let suspect = self.suspect(member.suspects[0]);
            let whole = matches!(suspect, Suspect::Disk(disk) if nodes.node_of(disk).is_some_and(|node| {
                self.cases.get(&Named::Node(node)).is_some_and(|case| case.what == What::Drive)
            }));
            if let (Some(usual), false) = (self.scene.usual(&singles, &singles[verdict.member]), whole) {
                self.found(self.named(suspect), member, &usual, &verdict);
            }
        }
    }

    /// Suspects of which a node has one.
    fn alone(&mut self, of: What) {
        let numbers = self.numbers(&[of]);
        let singles: Vec<Member> = numbers
            .iter()
            .filter_map(|&number| self.scene.member(vec![number]))
            .collect();
        for verdict in self.scene.judge(&singles, &singles) {
            let member = &singles[verdict.member];
            if let Some(usual) = self.scene.usual(&singles, &singles[verdict.member]) {
                self.found(self.named(self.suspect(member.suspects[0])), member, &usual, &verdict);
            }
        }
    }

    /// Those of single suspects that have no equal, against their own past.
    fn without_equals(&mut self, singles: &[Member]) {
        for (verdict, usual) in self.scene.judge_by_past(singles) {
            let member = &singles[verdict.member];
            let named = self.named(self.suspect(member.suspects[0]));
            self.found(named, member, &usual, &verdict);
        }
    }

    /// Suspects of a node together: where they are above other nodes' and each has its part in it, it is the node. The surest comes
    /// first, and what has it at the other end says nothing of other nodes any more.
    fn families(&mut self, numbers: &[usize], singles: &[Member], node_of: impl Fn(Suspect) -> Option<NodeIndex>) {
        let mut explained: BTreeSet<NodeIndex> = self.known.clone();
        loop {
            let mut families: BTreeMap<NodeIndex, Vec<usize>> = BTreeMap::new();
            for &number in numbers {
                let suspect = self.suspect(number);
                let by_other = matches!(suspect, Suspect::Link { peer, .. } if explained.contains(&peer));
                if let Some(node) = node_of(suspect).filter(|_| !by_other) {
                    families.entry(node).or_default().push(number);
                }
            }
            families.retain(|node, _| !explained.contains(node) || self.known.contains(node));
            let (nodes, members): (Vec<NodeIndex>, Vec<Member>) = families
                .into_iter()
                .filter(|(node, _)| !self.done.contains(node))
                .filter_map(|(node, numbers)| Some((node, self.scene.member(numbers)?)))
                .unzip();
            let mut verdicts = self.scene.judge(&members, singles);
            verdicts.sort_by(|a, b| b.strength.total_cmp(&a.strength));
            let mut whole = None;
            for verdict in verdicts {
                let (node, member) = (nodes[verdict.member], &members[verdict.member]);
                let Some(usual) = self.scene.usual(singles, member) else {
                    continue;
                };
                let unseen = member
                    .suspects
                    .iter()
                    .all(|&number| what(self.suspect(number)) == What::Leg);
                if unseen || self.is_whole(member, &usual, verdict.margin) {
                    if unseen {
                        let bad = self.without_well(member, &usual, verdict.margin);
                        self.found(Named::Unknown(node), &bad, &usual, &verdict);
                    } else {
                        self.found(Named::Node(node), member, &usual, &verdict);
                    }
                    whole = Some(node);
                    break;
                }
            }
            let Some(node) = whole else { break };
            explained.insert(node);
            self.done.insert(node);
        }
        self.done.clear();
    }

    /// Whether a family is above its equals without any one of its members, and none of them is well.
    fn is_whole(&self, family: &Member, usual: &Usual, margin: usize) -> bool {
        let drives = family
            .suspects
            .iter()
            .any(|&number| what(self.suspect(number)) == What::Drive);
        let too_sure = if drives { TOO_SURE_OF_DRIVES } else { TOO_SURE };
        family.suspects.len() > 1
            && family.suspects.iter().all(|&number| {
                let Some(rest) = self.rest(family, number) else {
                    return false;
                };
                let (multiple, sure) = rest.against(usual, margin);
                multiple >= TOO && sure >= too_sure && !self.is_well(number, &rest, usual, margin)
            })
    }

    /// A family without one of its members.
    fn rest(&self, family: &Member, without: usize) -> Option<Member> {
        let left = family.suspects.iter().copied().filter(|&other| other != without);
        self.scene.member(left.collect())
    }

    /// Whether a member is well beside the rest of its family. Where equals are next to never beyond the margin, one outlier is many
    /// times what is usual, and says nothing.
    fn is_well(&self, number: usize, rest: &Member, usual: &Usual, margin: usize) -> bool {
        let Some(one) = self.scene.member(vec![number]) else {
            return false;
        };
        let (multiple, sure) = one.against(usual, margin);
        (multiple < TOO || sure < TOO_SURE) && one.below(rest, margin) >= WELL
    }

    /// A family without those members that are well; all of it where that is nobody.
    fn without_well(&self, family: &Member, usual: &Usual, margin: usize) -> Member {
        let is_well = |number: usize| {
            let rest = self.rest(family, number);
            rest.is_some_and(|rest| self.is_well(number, &rest, usual, margin))
        };
        let bad = family.suspects.iter().copied().filter(|&number| !is_well(number));
        self.scene.member(bad.collect()).unwrap_or_else(|| family.clone())
    }

    fn named(&self, suspect: Suspect) -> Named {
        match suspect {
            Suspect::Disk(disk) => Named::Disk(disk),
            Suspect::Node(node) => Named::Node(node),
            Suspect::Link { node, peer } => Named::Link(node.min(peer), node.max(peer)),
            Suspect::FarSide(node) | Suspect::Unseen { node, .. } => Named::Unknown(node),
            Suspect::Initiator(node) => Named::Initiator(node),
        }
    }

    fn found(&mut self, named: Named, member: &Member, usual: &Usual, verdict: &Verdict) {
        let suspect = self.suspect(member.suspects[0]);
        let suspects = member.suspects.iter().map(|&number| (number, usual.added_nanos));
        let new = Case {
            named,
            far: match suspect {
                Suspect::Link { node, .. } => Some(node),
                _ => None,
            },
            suspects: suspects.collect(),
            what: what(suspect),
            by_past: usual.by_past,
            margin_nanos: margin_nanos(verdict.margin),
            count: verdict.count,
            expected: verdict.expected,
            writes: member.writes as u64,
            one_way: member.one_way.into(),
            strength: verdict.strength,
        };
        let Some(case) = self.cases.get_mut(&named) else {
            self.cases.insert(named, new);
            return;
        };
        // The surer speaks for both; both cost.
        let (mut speaks, other) = if new.strength > case.strength {
            (new, case.clone())
        } else {
            (case.clone(), new)
        };
        for suspect in other.suspects {
            if !speaks.suspects.iter().any(|(number, _)| *number == suspect.0) {
                speaks.suspects.push(suspect);
            }
        }
        *case = speaks;
    }
}
