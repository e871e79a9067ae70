//! Every order in which the calls of several people reach one store, tried one after the other.
//!
//! A store in memory answers at once, so without this nobody would ever come between another's two calls.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use complaint_core::Desk;
use complaint_core::testing::{Call, CountedIds, Faults, FaultyStore, Hook};

use crate::house::{House, policy};

/// Where each call waits until it is let through.
#[derive(Default)]
struct Gate(AtomicBool);

#[async_trait]
impl Hook for Gate {
    async fn before(&self, _call: Call) {
        // Whoever opens it polls again; woken at once, so that a deed of several parts asks each of them then.
        let through = poll_fn(|context| {
            if self.0.swap(false, Ordering::SeqCst) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        });
        through.await;
    }

    async fn after(&self, _call: Call) {}
}

pub(crate) type Deed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Orders not tried yet, found by going through each choice of whose call comes next.
pub(crate) struct Orders {
    gates: Vec<Arc<Gate>>,
    /// How often somebody may come before another who could go on.
    switches: usize,
    /// The choice at each turn, and of how many.
    path: Vec<(usize, usize)>,
    pub(crate) tried: u32,
}

impl Orders {
    pub(crate) fn of(people: usize, switches: usize) -> Self {
        Self { gates: (0..people).map(|_| Arc::default()).collect(), switches, path: Vec::new(), tried: 0 }
    }

    /// Whether there is another order; then the next [`Orders::play`] is in that one.
    pub(crate) fn go_on(&mut self) -> bool {
        while self.path.last().is_some_and(|(choice, of)| choice + 1 == *of) {
            self.path.pop();
        }
        let another = self.tried == 0 || !self.path.is_empty();
        if let Some((choice, _)) = self.path.last_mut() {
            *choice += 1;
        }
        self.tried += u32::from(another);
        another
    }

    /// A desk for each over the one store, whose calls wait for their turn.
    pub(crate) fn desks(&self, house: &House) -> Vec<Desk> {
        let gated = self.gates.iter().zip(1..).map(|(gate, number)| {
            let store = FaultyStore::over(house.store.clone(), &Faults::none().with_hook(gate.clone()));
            Desk::over(Arc::new(store), policy())
                .with_clock(Arc::new(house.clock.clone()))
                .with_ids(Arc::new(CountedIds::from(number * 1_000_000)))
        });
        gated.collect()
    }

    /// What came of each deed in this order.
    pub(crate) fn play<T>(&mut self, mut deeds: Vec<Deed<'_, T>>) -> Vec<T> {
        let mut nobody = Context::from_waker(Waker::noop());
        let mut results: Vec<Option<T>> = Vec::new();
        for deed in &mut deeds {
            results.push(match deed.as_mut().poll(&mut nobody) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            });
        }
        let (mut turn, mut switched, mut last) = (0, 0, 0);
        while results.iter().any(Option::is_none) {
            let goes_on = results[last].is_none();
            let others = (0..deeds.len()).filter(|at| *at != last && results[*at].is_none());
            let others = others.filter(|_| !goes_on || switched < self.switches);
            let options: Vec<usize> = [last].into_iter().filter(|_| goes_on).chain(others).collect();
            if turn == self.path.len() {
                self.path.push((0, options.len()));
            }
            let (choice, of) = self.path[turn];
            assert_eq!(of, options.len(), "the same order went another way");
            switched += usize::from(goes_on && options[choice] != last);
            last = options[choice];
            self.gates[last].0.store(true, Ordering::SeqCst);
            if let Poll::Ready(result) = deeds[last].as_mut().poll(&mut nobody) {
                results[last] = Some(result);
            }
            // Whoever ends without another call has none to be let through.
            let waited = self.gates[last].0.swap(false, Ordering::SeqCst);
            assert!(!waited || results[last].is_some(), "it waits for something else than its turn");
            turn += 1;
        }
        results.into_iter().flatten().collect()
    }
}

/// Of two that make two calls each there are six orders, and each is seen once.
#[tokio::test]
async fn every_order_is_played_once() {
    let house = House::new(policy()).await;
    let mut orders = Orders::of(2, usize::MAX);
    let mut seen = std::collections::BTreeSet::new();
    while orders.go_on() {
        let said = std::sync::Mutex::new(String::new());
        let desks = orders.desks(&house);
        let deeds = desks.iter().zip(["a", "b"]).map(|(desk, who)| {
            let said = &said;
            let deed: Deed<'_, ()> = Box::pin(async move {
                for _ in 0..2 {
                    desk.store().roster().await.unwrap();
                    said.lock().unwrap().push_str(who);
                }
            });
            deed
        });
        orders.play(deeds.collect());
        assert!(seen.insert(said.into_inner().unwrap()), "twice");
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["aabb", "abab", "abba", "baab", "baba", "bbaa"]);
}
