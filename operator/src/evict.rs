//! Replacing pods at a bounded pace, by eviction, which heeds disruption budgets.

use crate::world::PodName;
use kube::api::{DeleteParams, EvictParams, Preconditions};
use kube::{Api, Client};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use weft_api::operator::MeshOperatorSpec;

/// What may be evicted at once: as much as in this time.
const BURST: Duration = Duration::from_secs(5);
/// Requests of one pass, so that pods whose budgets say no cannot hold it up.
const ATTEMPTS: usize = 50;

/// Evictions that may happen now. It fills with time.
#[derive(Debug, Default)]
pub struct Bucket {
    /// How full it is, and when that was so.
    level: Mutex<Option<(f64, Instant)>>,
}

/// `dataPlane.update.maxPodsPerMinute` of `spec`.
pub fn per_minute(spec: &MeshOperatorSpec) -> u32 {
    let update = spec.data_plane.as_ref().and_then(|d| d.update.as_ref());
    let wanted = update.and_then(|update| update.max_pods_per_minute);
    wanted.and_then(|n| n.try_into().ok()).unwrap_or(60)
}

impl Bucket {
    /// Takes one eviction out, if there is one, where `per_minute` come in.
    pub fn take(&self, per_minute: u32, now: Instant) -> bool {
        let rate = f64::from(per_minute) / 60.0;
        let most = (rate * BURST.as_secs_f64()).max(1.0);
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = level.map_or(most, |(old, then)| {
            (old + rate * now.duration_since(then).as_secs_f64()).min(most)
        });
        let taken = filled >= 1.0;
        *level = Some((if taken { filled - 1.0 } else { filled }, now));
        taken
    }

    /// Puts one back that was not used.
    fn put_back(&self) {
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((level, _)) = level.as_mut() {
            *level += 1.0;
        }
    }
}

/// Evicts those of `pods` that somebody replaces, as far as `bucket` and their budgets let it; tells
/// how many.
///
/// # Errors
/// If the API server refuses for another reason than a budget.
pub async fn some(
    kube: &Client,
    pods: &[PodName],
    (bucket, per_minute): (&Bucket, u32),
) -> Result<usize, kube::Error> {
    let mut evicted = 0;
    let replaced = pods.iter().filter(|pod| pod.replaced);
    for pod in replaced.take(ATTEMPTS) {
        if !bucket.take(per_minute, Instant::now()) {
            break;
        }
        if evict(kube, pod).await? {
            tracing::info!(%pod, "evicted, so that another comes in its place");
            evicted += 1;
        } else {
            bucket.put_back();
        }
    }
    Ok(evicted)
}

/// Whether `pod` was evicted: not if its budget says no, or it is another one by now.
async fn evict(kube: &Client, pod: &PodName) -> Result<bool, kube::Error> {
    let same = Preconditions {
        uid: Some(pod.uid.clone()),
        ..Preconditions::default()
    };
    let params = EvictParams {
        delete_options: Some(DeleteParams {
            preconditions: Some(same),
            ..DeleteParams::default()
        }),
        ..EvictParams::default()
    };
    let pods = Api::<k8s_openapi::api::core::v1::Pod>::namespaced(kube.clone(), &pod.namespace);
    match pods.evict(&pod.name, &params).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if [404, 409, 429].contains(&status.code) => {
            tracing::debug!(%pod, %status, "not evicted now");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evictions_keep_to_the_pace() {
        let (bucket, start) = (Bucket::default(), Instant::now());
        let count = |second: u64| {
            let now = start + Duration::from_secs(second);
            (0..100).filter(|_| bucket.take(60, now)).count()
        };
        assert_eq!(count(0), 5, "five seconds' worth at once");
        assert_eq!(count(2), 2);
        assert_eq!(count(600), 5, "what was not used is not saved up");
    }

    #[test]
    fn a_slow_pace_still_moves() {
        let (bucket, start) = (Bucket::default(), Instant::now());
        assert!(bucket.take(1, start));
        assert!(!bucket.take(1, start + Duration::from_secs(59)));
        assert!(bucket.take(1, start + Duration::from_secs(60)));
    }

    #[test]
    fn the_spec_says_how_fast() {
        let spec = |text: &str| serde_saphyr::from_str::<MeshOperatorSpec>(text).unwrap();
        assert_eq!(per_minute(&spec("{}")), 60);
        let fast = spec("{dataPlane: {update: {maxPodsPerMinute: 600}}}");
        assert_eq!(per_minute(&fast), 600);
    }
}
