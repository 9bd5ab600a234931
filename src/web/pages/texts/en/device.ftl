### The words of a device's pages: overview, signal, tickets, messages.

device-path = Path
device-pages = This device
device-tab-overview = Overview
device-tab-tickets = Tickets
device-tab-messages = Messages
device-tab-rejected = { $n } rejected
device-keys = Keys
device-keys-up = back
device-keys-find = find

device-online = Online, last message { $age } ago
device-heard = Last message { $age } ago
device-offline = Offline, last message { $age } ago
device-silent = Silent, last message { $age } ago
device-retired = Retired, last message { $age } ago
device-quarantined = In quarantine, last message { $age } ago

device-lead-retired = This device was retired. What was learnt of it is forgotten; its tickets and series are kept.
device-lead-quarantined = This device is not adopted yet: its messages are refused until it is.
device-lead-no-profile = No profile knows the model { $model }: its messages are stored as series, and nothing is judged.
device-lead-nothing = Nothing was heard of this device yet that could be judged.
device-lead-frozen = An internal error froze this device: nothing is judged until profiles are activated again. Its messages are kept.
device-lead-none = No fault is active.
device-lead-active = { $n ->
    [one] One fault is active: { $list }.
   *[other] { $n } faults are active: { $list }.
}
device-lead-fault = { $title } ({ $severity })
device-lead-comma = {", "}
device-lead-space = {" "}
device-lead-others = Of the others { $list }.
device-lead-all = { $list }.
device-lead-pending = { $n ->
    [one] one is pending
   *[other] { $n } are pending
}
device-lead-clearing = { $n ->
    [one] one is clearing
   *[other] { $n } are clearing
}
device-lead-normal = { $n ->
    [one] one is normal
   *[other] { $n } are normal
}
device-lead-learning = { $n ->
    [one] one is learning
   *[other] { $n } are learning
}
device-lead-blind = { $n ->
    [one] one cannot be judged
   *[other] { $n } cannot be judged
}

device-faults = Faults: how far from the limit
device-faults-key = Bar: from where a healthy device rests (its own normal where that is known) to now. Dashed line: fault limit. Dotted line: warning limit.
device-faults-caption = Faults of this device, their state and distance from the limit
device-col-fault = Fault
device-col-state = State
device-col-bar = Rest to limit
device-col-now = Now
device-col-note = Note
device-bullet = { $title }: { $now }, { $limits }
device-no-scale = no sign
device-limits-both = warning limit { $warn }, fault { $fault }
device-limits-both-below = warning below { $warn }, fault below { $fault }
device-limit-warn = warning limit { $warn }
device-limit-warn-below = warning below { $warn }
device-limit-fault = fault limit { $fault }
device-limit-fault-below = fault below { $fault }
device-limits-and-new = { $limits }; when new { $normal }
device-learning = { $need ->
    [one] no value yet
   *[other] { $have } of { $need } values
}
device-blind-no-reading = no reading
device-blind-invalid = no valid reading
device-blind-not-now = not judged now
device-since = since { $when }
device-last-told = last told { $when }
device-hold-time = { $held } of the { $of } needed
device-hold-values = { $held } of the { $of } values needed
device-ready = ready in about { $left }
device-ready-unknown = waits for further values
device-rechecking = repair being watched
device-shadow = in shadow

device-signals = Signals
device-signals-caption = Signals of this device,
device-range = Range
device-range-1h = 1{"\u00A0"}h
device-range-24h = 24{"\u00A0"}h
device-range-7d = 7{"\u00A0"}d
device-range-30d = 30{"\u00A0"}d
device-range-1y = 1{"\u00A0"}y
device-range-to = { $range } to { $to }
device-col-signal = Signal
device-col-span = Lowest to highest
device-col-age = Age
device-span = { $low } to { $high }
device-stale = no longer fresh
device-invalid = outside the sensor’s range
device-yes = yes
device-no = no
device-signals-more = Choose a signal’s name for its full chart and table.
device-never = { $n ->
    [one] One signal was never told
   *[other] { $n } signals were never told
}
device-no-signals = No values yet
device-no-signals-why = Values show here with the first message that the profile of this model understands.
device-series-slow = The store of series did not answer within 2 s: the charts are missing, the values are right.
device-series-away = The store of series does not answer: { $reason }. The charts are missing, the values are right.

device-silent-values = The device has fallen silent: these are its last values, none of them counts now.
device-signal-aside = About this signal
device-signal-about = About this signal
device-signal-path = Name
device-signal-last = Last told
device-signal-range = Sensor
device-signal-new = When new
device-signal-normal = { $normal }, spread { $spread }
device-signal-faults = Faults that look at it
device-signal-no-faults = None: it is kept for people.
device-signal-now = { $now } now.
device-signal-now-new = { $now } now, { $normal } when new.
device-signal-span = {" "}In this time { $span }.
device-signal-no-value = It has no value now.
device-signal-none = No values in { $range }. Choose a longer range.
device-signal-not-stored = This value follows from other signals at each moment and is not stored: look at those.
device-chart-zone = Local time, { $zone }.
device-values = Values
device-data = Data (JSON)
device-col-time = Time
device-col-value = Mean
device-col-lowest = Lowest
device-col-highest = Highest

device-aside = Identity, tickets and record
device-identity = Identity
device-fact-model = Model
device-hardware = , hardware { $hw }
device-fact-firmware = Firmware
device-fact-made = Made
device-fact-lots = Lots
device-fact-region = Region
device-fact-place = Place
device-fact-first-use = In use since
device-fact-first-seen = First message
device-fact-via = Comes via
device-fact-source = Connection
device-fact-client = Client
device-client = MQTT { $protocol } since { $when }, { $messages } messages, { $subscriptions } subscriptions
device-client-tls = MQTT { $protocol } over TLS since { $when }, { $messages } messages, { $subscriptions } subscriptions
device-client-denied = { $n } publishes outside its rights
device-fact-clock = Clock
device-fact-restarts = Restarts
device-fact-zone = Time zone
device-fact-counter = Counter
device-fact-messages = Messages
device-clock-right = right within { $within }
device-clock-ahead = { $by } ahead; its times are corrected
device-clock-behind = { $by } behind; its times are corrected
device-clock-suspect = in doubt: its last time lay in the future
device-clock-unknown = not known yet: no live message carried a time
device-boot = boot { $boot }, since { $when }
device-seq-restarts = { $n ->
    [one] restarted once without a new boot
   *[other] restarted { $n } times without a new boot
}
device-counts = { $messages } understood, { $rejected } rejected, { $duplicates } repeated

device-tickets = Tickets
device-no-tickets = No tickets
device-no-tickets-why = Nothing of this device has needed a person so far.
device-all-tickets = All its tickets
device-tickets-caption = Tickets of this device, newest first
device-col-what = What
device-col-severity = Severity
device-col-status = Status
device-col-who = Who
device-col-opened = Opened
device-closed = { $when }: { $how }
device-no-verdict = without a verdict

device-record = Record
device-colon = {": "}
device-record-restart = restart (boot { $boot })
device-record-first = first message
device-record-ended = { $title }: { $how }
device-record-fitted = , fitted { $parts }
device-verdict-confirmed-fault = confirmed fault
device-verdict-consumable = consumable
device-verdict-user-education = user education
device-verdict-environment = environment
device-verdict-no-fault-found = no fault found
device-verdict-sensor-error = sensor or data error
device-verdict-unreachable = customer unreachable
device-verdict-declined = customer declined
device-verdict-duplicate = duplicate
device-verdict-known-problem = known lot problem

device-change = Change this device
device-part = Part that was replaced
device-choose = Choose one
device-lot = Lot of the new part, if known
device-part-why = What the part decides is learnt anew, and faults that name it are judged afresh.
device-part-go = Part was replaced
device-adopt-why = From its next message on this device is judged.
device-adopt-go = Adopt
device-retire-why = Its tickets are closed and what was learnt of it is forgotten. It comes back as a new device with its next message.
device-retire-sure-box = It is out of service
device-retire-go = Retire
device-choose-part = Choose the part that was replaced. Nothing was changed.
device-lot-long = A lot has at most 64 characters on one line. Nothing was changed.
device-retire-sure = Say that it is out of service: this cannot be undone. Nothing was changed.
device-choose-action = Choose what happened. Nothing was changed.

device-messages = Messages
device-messages-which = Which messages
device-messages-all = All
device-messages-rejected = Rejected { $n }
device-messages-caption = Latest messages of this device
device-messages-none = No message of this device lies in the part of the journal that was looked at. Older ones may.
device-messages-none-rejected = No message of this device was rejected.
device-messages-trouble = The journal could not be read there. Messages are still received. Ask the administrator to run foremend journal verify.
device-col-received = Received
device-col-kind = Kind
device-col-understood = Understood
device-col-result = Result
device-result-hints = { $n ->
    [one] Decoded, 1 hint
   *[other] Decoded, { $n } hints
}
device-result-decoded = Decoded
device-result-repeated = Repeated
device-result-rejected = Rejected
device-result-replayed = Rejected, taken { $when }
device-result-partly = { $n ->
    [one] Decoded, one record rejected
   *[other] Decoded, { $n } records rejected
}
device-said-online = online
device-said-offline = offline
device-said-identity = what it is
device-said-records = { $n } records
device-said-values = { $n ->
    [one] one value
   *[other] { $n } values
}
device-said-retained = a retained copy
device-said-empty = nothing to note
device-said-nothing = nothing
device-said-record = not record { $n }
device-said-repeated = the same as one before
device-said-unknown = not understood today
device-meant = Did you mean
device-question = ?
device-more-hints = { $n ->
    [one] One further record was rejected.
   *[other] { $n } further records were rejected.
}
device-older = Older ones
device-replay = Try the rejected messages again
device-replay-why = Use it after the sender or the profile is mended.
device-replayed = Tried again.
device-reason-unknown-topic = no source claims this topic
device-reason-unknown-kind = the last part of the topic is no kind of message
device-reason-unknown-model = no profile knows this model
device-reason-unknown-device = this device is not accepted yet
device-reason-too-large = the payload is too large
device-reason-too-many-records = too many records in one batch
device-reason-too-deep = the payload is nested too deep
device-reason-invalid-utf8 = the text is not UTF-8
device-reason-invalid-json = this is not JSON
device-reason-invalid-cbor = this is not CBOR
device-reason-invalid-shape = the payload has another form than this kind asks for
device-reason-no-time = a record of a batch has no time
device-reason-identity-mismatch = the payload names another device than the topic
device-reason-empty = the payload is empty
device-reason-internal-error = a fault of our own
