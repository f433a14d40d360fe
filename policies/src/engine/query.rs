//! JSONPath over the object under review, at a cost that is known before.
//!
//! Epochs interrupt a guest, not the host. So a query is priced by its parsed
//! form and the size of the object, and runs only if the guest can pay.

use jsonpath_rust::parser::model::{
    Comparable, Comparison, Filter, FilterAtom, FnArg, JpQuery, Literal, Segment, Selector, Test,
    TestFunction,
};
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use serde_json::Value;

/// Longest query: the parser recurses into brackets, and its own time is not
/// in the price.
const LONGEST: usize = 1024;

/// Deepest nesting of brackets in a query.
const DEEPEST: usize = 16;

/// Price of looking at one node: the library writes out the path of each.
const NODE: u64 = 64;

/// Price of a regular expression for each node that it is tried on: the library
/// compiles it every time.
const REGEX: u64 = 500_000;

/// Longest regular expression. Counted repetitions are refused: `\\w{900}`
/// compiles to megabytes.
const LONGEST_REGEX: usize = 64;

/// One match: normalized path, value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Match {
    pub(crate) path: String,
    pub(crate) value: String,
}

/// Why a query gives no answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    Invalid(String),
    TooCostly,
}

/// How many nodes an object has, and how deep they lie. Counted once for an
/// object, since every price depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    nodes: u64,
    depth: u64,
    bytes: u64,
}

impl Extent {
    pub(crate) fn of(value: &Value) -> Self {
        let leaf = |bytes: usize| Self { nodes: 1, depth: 1, bytes: bytes as u64 };
        let inner = |children: &mut dyn Iterator<Item = (usize, Self)>| {
            children.fold(leaf(2), |sum, (key, child)| Self {
                nodes: sum.nodes + child.nodes,
                depth: sum.depth.max(child.depth + 1),
                bytes: sum.bytes + child.bytes + key as u64 + 4,
            })
        };
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => leaf(8),
            Value::String(text) => leaf(text.len() + 2),
            Value::Array(list) => inner(&mut list.iter().map(|child| (0, Self::of(child)))),
            Value::Object(map) => {
                inner(&mut map.iter().map(|(key, child)| (key.len(), Self::of(child))))
            }
        }
    }
}

/// A query whose price can be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query(JpQuery);

impl Query {
    /// Reads a query.
    pub(crate) fn parse(query: &str) -> Result<Self, Refusal> {
        if query.len() > LONGEST {
            return Err(Refusal::Invalid(format!("longer than {LONGEST} bytes")));
        }
        let nesting = query.bytes().scan(0_usize, |open, byte| {
            match byte {
                b'[' | b'(' => *open += 1,
                b']' | b')' => *open = open.saturating_sub(1),
                _ => {}
            }
            Some(*open)
        });
        if nesting.max().unwrap_or(0) > DEEPEST {
            return Err(Refusal::Invalid(format!("brackets nested more than {DEEPEST} deep")));
        }
        let parsed = parse_json_path(query).map_err(|error| Refusal::Invalid(error.to_string()))?;
        Ok(Self(parsed))
    }

    /// Runs it if it can't cost more than `budget`, and takes its price.
    pub(crate) fn run(
        &self,
        object: &Value,
        extent: Extent,
        budget: &mut u64,
    ) -> Result<Vec<Match>, Refusal> {
        let price = price(&self.0, extent);
        // The values of all matches together: a node is written once for each
        // match of an ancestor.
        let output = price.matches.min(price.repeats.saturating_mul(extent.depth));
        let output = output.saturating_mul(extent.bytes);
        let price = price.work.saturating_add(output);
        if price > *budget {
            return Err(Refusal::TooCostly);
        }
        *budget -= price;

        let found = js_path_process(&self.0, object)
            .map_err(|error| Refusal::Invalid(error.to_string()))?;
        Ok(found
            .into_iter()
            .map(|found| Match { path: found.path, value: found.val.to_string() })
            .collect())
    }
}

/// Reads and runs a query.
pub(crate) fn run(
    query: &str,
    object: &Value,
    extent: Extent,
    budget: &mut u64,
) -> Result<Vec<Match>, Refusal> {
    Query::parse(query)?.run(object, extent, budget)
}

/// An upper bound of what segments cost and what they can yield.
#[derive(Clone, Copy)]
struct Price {
    work: u64,
    /// Matches in all, a node counted as often as it occurs.
    matches: u64,
    /// How often one node can occur among the matches.
    repeats: u64,
}

impl Price {
    /// Visits that many nodes, each at a price of its own.
    fn then(self, matches: u64, repeats: u64, extra: u64) -> Self {
        let work = matches.saturating_mul(NODE.saturating_add(extra));
        Self { work: self.work.saturating_add(work), matches, repeats: repeats.min(matches) }
    }
}

fn price(query: &JpQuery, extent: Extent) -> Price {
    segments(&query.segments, extent)
}

fn segments(list: &[Segment], extent: Extent) -> Price {
    let start = Price { work: NODE, matches: 1, repeats: 1 };
    list.iter().fold(start, |before, each| segment(each, before, extent))
}

fn segment(segment: &Segment, before: Price, extent: Extent) -> Price {
    match segment {
        Segment::Descendant(inner) => {
            // A node is below each of its ancestors, once for each time that
            // the ancestor occurs; and below one match, it occurs once.
            let repeats = before.repeats.saturating_mul(extent.depth).min(before.matches);
            let visited = before.then(repeats.saturating_mul(extent.nodes), repeats, 0);
            self::segment(inner, visited, extent)
        }
        Segment::Selector(one) => selector(one, before, extent),
        Segment::Selectors(several) => {
            let start = Price { work: before.work, matches: 0, repeats: 0 };
            several.iter().fold(start, |sum, one| {
                let price = selector(one, Price { work: 0, ..before }, extent);
                Price {
                    work: sum.work.saturating_add(price.work),
                    matches: sum.matches.saturating_add(price.matches),
                    repeats: sum.repeats.saturating_add(price.repeats),
                }
            })
        }
    }
}

fn selector(selector: &Selector, before: Price, extent: Extent) -> Price {
    // A child occurs as often as its parent does.
    let children = before.repeats.saturating_mul(extent.nodes);
    match selector {
        Selector::Name(_) | Selector::Index(_) => before.then(before.matches, before.repeats, 0),
        Selector::Wildcard | Selector::Slice(..) => before.then(children, before.repeats, 0),
        Selector::Filter(test) => before.then(children, before.repeats, filter(test, extent)),
    }
}

fn filter(test: &Filter, extent: Extent) -> u64 {
    let sum = |list: &[Filter]| {
        list.iter().fold(0_u64, |sum, each| sum.saturating_add(filter(each, extent)))
    };
    match test {
        Filter::Or(list) | Filter::And(list) => sum(list),
        Filter::Atom(FilterAtom::Filter { expr, .. }) => filter(expr, extent),
        Filter::Atom(FilterAtom::Test { expr, .. }) => match expr.as_ref() {
            Test::RelQuery(list) => segments(list, extent).work,
            Test::AbsQuery(query) => price(query, extent).work,
            Test::Function(call) => function(call, extent),
        },
        Filter::Atom(FilterAtom::Comparison(comparison)) => match comparison.as_ref() {
            Comparison::Eq(left, right)
            | Comparison::Ne(left, right)
            | Comparison::Gt(left, right)
            | Comparison::Gte(left, right)
            | Comparison::Lt(left, right)
            | Comparison::Lte(left, right) => {
                comparable(left, extent).saturating_add(comparable(right, extent))
            }
        },
    }
}

fn comparable(side: &Comparable, extent: Extent) -> u64 {
    match side {
        Comparable::Literal(_) => NODE,
        Comparable::Function(call) => function(call, extent),
        // Comparing may walk through the whole value.
        Comparable::SingularQuery(_) => NODE.saturating_add(extent.bytes),
    }
}

fn function(call: &TestFunction, extent: Extent) -> u64 {
    let argument = |argument: &FnArg| match argument {
        FnArg::Literal(_) => NODE,
        FnArg::Test(test) => match test.as_ref() {
            Test::RelQuery(list) => segments(list, extent).work,
            Test::AbsQuery(query) => price(query, extent).work,
            Test::Function(call) => function(call, extent),
        },
        FnArg::Filter(inner) => filter(inner, extent),
    };
    match call {
        TestFunction::Custom(_, list) => {
            list.iter().fold(NODE, |sum, each| sum.saturating_add(argument(each)))
        }
        TestFunction::Length(one) => argument(one),
        TestFunction::Value(one) | TestFunction::Count(one) => argument(one),
        TestFunction::Search(left, FnArg::Literal(Literal::String(regex)))
        | TestFunction::Match(left, FnArg::Literal(Literal::String(regex)))
            if regex.len() <= LONGEST_REGEX && !regex.contains('{') =>
        {
            REGEX.saturating_add(extent.bytes).saturating_add(argument(left))
        }
        // One that the object itself holds could be any.
        TestFunction::Search(..) | TestFunction::Match(..) => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ask(query: &str, object: &Value) -> Result<Vec<(String, String)>, Refusal> {
        let mut budget = 10_000_000;
        run(query, object, Extent::of(object), &mut budget)
            .map(|found| found.into_iter().map(|found| (found.path, found.value)).collect())
    }

    #[test]
    fn a_query_answers_with_normalized_paths_and_json() {
        let object = json!({"spec": {"ports": [{"name": "a"}, {"name": "b"}]}});
        assert_eq!(
            ask("$.spec.ports[?@.name == 'b'].name", &object),
            Ok(vec![("$['spec']['ports'][1]['name']".to_owned(), "\"b\"".to_owned())])
        );
        assert_eq!(ask("$.spec.missing", &object), Ok(vec![]));
    }

    #[test]
    fn what_is_no_query_is_refused_by_name() {
        assert!(matches!(ask("spec.ports", &json!({})), Err(Refusal::Invalid(_))));
        let deep = format!("$[?{}@.a{}]", "(".repeat(5_000), ")".repeat(5_000));
        assert!(matches!(ask(&deep, &json!({})), Err(Refusal::Invalid(_))));
        let brackets = format!("$[?{}@.a{}]", "(".repeat(40), ")".repeat(40));
        assert!(matches!(ask(&brackets, &json!({})), Err(Refusal::Invalid(_))));
    }

    #[test]
    fn a_costly_query_is_refused_before_it_runs() {
        let wide: Vec<Value> = (0..2_000).map(|index| json!({"a": index})).collect();
        let wide = json!({"list": wide});
        for costly in [
            "$..[?count($..*) > 1]",
            "$.list[?search(@.a, '(a+)+$')]",
            "$.list[?search(@.a, 'a{9}')]",
            "$.list[?search('a', @.a)]",
        ] {
            assert_eq!(ask(costly, &wide), Err(Refusal::TooCostly), "{costly}");
        }
        assert_eq!(ask("$.list[3].a", &wide).map(|found| found.len()), Ok(1));
        assert_eq!(ask("$..a", &wide).map(|found| found.len()), Ok(2_000));

        let deep = (0..100).fold(json!(1), |inner, _| json!({"a": inner, "b": 1}));
        for costly in ["$..*..*", "$..*..*..*..*", "$['a','a']['a','a']..*..*"] {
            assert_eq!(ask(costly, &deep), Err(Refusal::TooCostly), "{costly}");
        }
        assert_eq!(ask("$..b", &deep).map(|found| found.len()), Ok(100));
    }

    #[test]
    fn the_price_is_taken_from_the_budget_until_nothing_is_left() {
        let object = json!({"list": [1, 2, 3]});
        let mut budget = 3_000;
        let mut answered = 0;
        while run("$.list[*]", &object, Extent::of(&object), &mut budget).is_ok() {
            answered += 1;
            assert!(answered < 100, "the budget never ends");
        }
        assert!(answered > 0);
    }
}
