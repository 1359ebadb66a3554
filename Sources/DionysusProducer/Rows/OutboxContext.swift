import Dionysus

/// What rows of the outbox have of the change that they come from.
struct OutboxContext: Sendable, Hashable {
    var createdAt: Timestamp?
    var traceparent: String?
    var tracestate: String?
    var origin: String?

    /// As a run's row keeps it.
    var json: JSON {
        var object = JSON.Object()
        object["created_at"] = createdAt.map { .string($0.description) }
        object["traceparent"] = traceparent.map(JSON.string)
        object["tracestate"] = tracestate.map(JSON.string)
        object["origin"] = origin.map(JSON.string)
        return .object(object)
    }

    init() {}

    /// Reads what ``json`` has written.
    init(json: JSON) {
        createdAt = json["created_at"]?.text(or: nil).flatMap { Timestamp($0) }
        traceparent = json["traceparent"]?.text(or: nil)
        tracestate = json["tracestate"]?.text(or: nil)
        origin = json["origin"]?.text(or: nil)
    }
}

extension OutboxContext {
    init(_ row: OutboxRow) {
        createdAt = row.createdAt
        traceparent = row.traceparent
        tracestate = row.tracestate
        origin = row.origin
    }
}
