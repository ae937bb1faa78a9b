//! The host calls of the ABI by name: for counting them and for making them fail.

use std::collections::BTreeMap;

use crate::status::Status;

macro_rules! calls {
    ($($variant:ident = $import:literal),+ $(,)?) => {
        /// A host call, named as its import without `proxy_`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each is the import that `import` names")]
        pub enum Call { $($variant),+ }

        impl Call {
            /// Every host call of the ABI.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name of the import.
            pub const fn import(self) -> &'static str {
                match self { $(Self::$variant => $import),+ }
            }
        }
    };
}

calls! {
    Log = "proxy_log",
    GetLogLevel = "proxy_get_log_level",
    GetCurrentTimeNanoseconds = "proxy_get_current_time_nanoseconds",
    SetTickPeriodMilliseconds = "proxy_set_tick_period_milliseconds",
    GetBufferBytes = "proxy_get_buffer_bytes",
    SetBufferBytes = "proxy_set_buffer_bytes",
    GetHeaderMapPairs = "proxy_get_header_map_pairs",
    SetHeaderMapPairs = "proxy_set_header_map_pairs",
    GetHeaderMapValue = "proxy_get_header_map_value",
    AddHeaderMapValue = "proxy_add_header_map_value",
    ReplaceHeaderMapValue = "proxy_replace_header_map_value",
    RemoveHeaderMapValue = "proxy_remove_header_map_value",
    GetProperty = "proxy_get_property",
    SetProperty = "proxy_set_property",
    GetSharedData = "proxy_get_shared_data",
    SetSharedData = "proxy_set_shared_data",
    RegisterSharedQueue = "proxy_register_shared_queue",
    ResolveSharedQueue = "proxy_resolve_shared_queue",
    DequeueSharedQueue = "proxy_dequeue_shared_queue",
    EnqueueSharedQueue = "proxy_enqueue_shared_queue",
    ContinueStream = "proxy_continue_stream",
    CloseStream = "proxy_close_stream",
    SendLocalResponse = "proxy_send_local_response",
    HttpCall = "proxy_http_call",
    GrpcCall = "proxy_grpc_call",
    GrpcStream = "proxy_grpc_stream",
    GrpcSend = "proxy_grpc_send",
    GrpcCancel = "proxy_grpc_cancel",
    GrpcClose = "proxy_grpc_close",
    GetStatus = "proxy_get_status",
    SetEffectiveContext = "proxy_set_effective_context",
    CallForeignFunction = "proxy_call_foreign_function",
    Done = "proxy_done",
    DefineMetric = "proxy_define_metric",
    GetMetric = "proxy_get_metric",
    RecordMetric = "proxy_record_metric",
    IncrementMetric = "proxy_increment_metric",
}

/// How often each host call was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallCounts {
    counts: BTreeMap<Call, u64>,
}

// === impl Call ===

impl Call {
    /// A failure that Envoy itself returns for this call in some state of a stream or of the process; `None`
    /// where its implementation cannot fail for a guest with valid memory (time, log, metrics by a valid
    /// id, local replies).
    pub const fn plausible_failure(self) -> Option<Status> {
        match self {
            Self::GetHeaderMapPairs
            | Self::SetHeaderMapPairs
            | Self::GetHeaderMapValue
            | Self::AddHeaderMapValue
            | Self::ReplaceHeaderMapValue
            | Self::RemoveHeaderMapValue
            | Self::SetBufferBytes
            | Self::ContinueStream
            | Self::DefineMetric => Some(Status::BadArgument),
            Self::GetBufferBytes
            | Self::GetProperty
            | Self::SetProperty
            | Self::GetSharedData
            | Self::CallForeignFunction
            | Self::ResolveSharedQueue => Some(Status::NotFound),
            Self::SetSharedData => Some(Status::CasMismatch),
            Self::HttpCall => Some(Status::InternalFailure),
            _ => None,
        }
    }
}

// === impl CallCounts ===

impl CallCounts {
    pub(crate) fn add(&mut self, call: Call) {
        *self.counts.entry(call).or_default() += 1;
    }

    /// How often this call was made.
    pub fn of(&self, call: Call) -> u64 {
        self.counts.get(&call).copied().unwrap_or_default()
    }

    /// What was made since an earlier look.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let made = self.iter().map(|(call, count)| (call, count - before.of(call)));
        Self {
            counts: made.filter(|(_, count)| *count > 0).collect(),
        }
    }

    /// How often any call was made.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Every call that was made, with how often.
    pub fn iter(&self) -> impl Iterator<Item = (Call, u64)> + '_ {
        self.counts.iter().map(|(call, count)| (*call, *count))
    }
}
