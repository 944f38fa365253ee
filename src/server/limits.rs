//! How long anybody may take.

use std::time::Duration;

/// The deadlines of the daemon. The defaults are those of the interface; tests shorten them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A request is finished within this time of its first byte; else the connection is closed.
    pub request: Duration,
    /// An idle connection is kept this long: more than smtpd(8) keeps one (`smtpd_policy_service_max_ttl`,
    /// 1 000 s), because each that we close costs it a second (attr_clnt.c:attr_clnt_request).
    pub idle: Duration,
    /// Replies are taken by the peer within this time; else the connection is closed.
    pub write: Duration,
    /// Requests in flight have this long to end after a signal to stop.
    pub drain: Duration,
    /// Of that, who has connected and not asked anything yet, or not to the end, has this long to do so.
    pub newcomers: Duration,
    /// How often is looked whether our sockets are still there.
    pub watch: Duration,
    /// Results of validations are read for metrics at most so often: they change once a day.
    pub results: Duration,
    /// Metrics over the control socket are written within this time, or there is no answer: less than who asks waits, so
    /// that a disk that hangs does not keep the seats of those who reload.
    pub metrics: Duration,
    /// A request that is begun and not finished is the first to go when connections run out, once it
    /// is older than this.
    pub stalled: Duration,
    /// The pause after the system had no descriptor or memory for a connection.
    pub back_off: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request: Duration::from_secs(5),
            idle: Duration::from_secs(1_100),
            write: Duration::from_secs(5),
            drain: Duration::from_secs(5),
            newcomers: Duration::from_secs(1),
            watch: Duration::from_secs(2),
            results: Duration::from_secs(60),
            metrics: Duration::from_secs(8),
            stalled: Duration::from_millis(500),
            back_off: Duration::from_millis(100),
        }
    }
}
