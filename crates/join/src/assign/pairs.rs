//! The same assignment where it is known beforehand who may have what: many intervals, of which each has few.

use super::{Assigned, Graph, Matching, NOTHING};

/// Assigns inner intervals to outer ones: `edges` has for each outer one the inner ones that it may have, in the order in which
/// it takes them; `order` all outer ones in the order in which they choose.
///
/// The result has an entry an outer interval. Time is that of all edges where the first choice is nearly always possible, and where
/// it is not, of the edges that a search for another leads to.
pub(crate) fn assign_pairs(edges: Vec<Vec<usize>>, inners: usize, order: Vec<usize>) -> Vec<Assigned> {
    if inners == 0 {
        return vec![NOTHING; edges.len()];
    }
    let graph = Graph { edges, inners, order };
    let matching = largest(&graph);
    graph.judge(&matching)
}

/// A largest matching, by Kuhn's algorithm. What is free is taken in order before anything is moved: order decides where nothing else
/// does.
///
/// What a search without success has seen is left out from then on: nothing free is reached from there, and
/// what is found later changes nothing of that. So all searches without success together look at each edge once.
pub(super) fn largest(graph: &Graph) -> Matching {
    let mut matching = Matching {
        of_outer: vec![None; graph.edges.len()],
        of_inner: vec![None; graph.inners],
    };
    let mut seen = vec![usize::MAX; graph.inners];
    let mut dead = vec![false; graph.inners];
    let mut visited = Vec::new();
    for (round, &start) in graph.order.iter().enumerate() {
        let mut edges = graph.edges[start].iter();
        if let Some(&inner) = edges.find(|&&inner| matching.of_inner[inner].is_none()) {
            matching.of_outer[start] = Some(inner);
            matching.of_inner[inner] = Some(start);
            continue;
        }
        visited.clear();
        // Path of (outer, next edge to try); the edge before it is the inner interval taken on the way.
        let mut path = vec![(start, 0)];
        while let Some(top) = path.last_mut() {
            let (outer, next) = *top;
            top.1 += 1;
            let Some(&inner) = graph.edges[outer].get(next) else {
                path.pop();
                continue;
            };
            if dead[inner] || std::mem::replace(&mut seen[inner], round) == round {
                continue;
            }
            visited.push(inner);
            if let Some(other) = matching.of_inner[inner] {
                path.push((other, 0));
                continue;
            }
            for &(outer, next) in &path {
                let inner = graph.edges[outer][next - 1];
                matching.of_outer[outer] = Some(inner);
                matching.of_inner[inner] = Some(outer);
            }
            break;
        }
        if path.is_empty() {
            visited.iter().for_each(|&inner| dead[inner] = true);
        }
    }
    matching
}

#[cfg(test)]
mod tests;
