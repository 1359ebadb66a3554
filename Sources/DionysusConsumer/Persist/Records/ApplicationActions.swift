import Dionysus

/// What closures of the application do about a batch whose records have been written.
struct ApplicationActions {
    let set: WorkingSet?
    let delegated: [DelegatedEvent]

    /// Calls them.
    /// - Parameter applied: The events that were applied so far.
    /// - Returns: Those and the ones that were handed over, in their order.
    func run(after applied: [AppliedEvent], in transaction: inout Transaction) throws -> [AppliedEvent] {
        let delegated = (set?.delegated ?? []) + delegated
        for call in delegated.calls {
            do {
                try call[0].handler(call.map(\.event), &transaction)
            } catch {
                throw DionysusError.ofApplication(error, "the application's storage of \(call[0].kind.model) failed")
            }
        }
        try set?.keepPayloads(in: &transaction)
        try set?.cancel(in: &transaction)
        try set?.resolve(in: &transaction)
        let delegatedModels = delegated.filter(\.standsAlone).map(AppliedEvent.init)
        guard !delegatedModels.isEmpty else { return applied }
        return (applied + delegatedModels).sorted { $0.order < $1.order }
    }
}

extension AppliedEvent {
    fileprivate convenience init(_ delegatedEvent: DelegatedEvent) {
        self.init(
            order: delegatedEvent.order,
            message: delegatedEvent.event.message,
            name: delegatedEvent.event.name,
            model: delegatedEvent.event.model,
            payload: delegatedEvent.event.record,
            changes: .known([])
        )
    }
}

extension WorkingSet {
    /// Gives the records that their last event ended to their replicas' own strategies.
    fileprivate func cancel(in transaction: inout Transaction) throws {
        for table in tables {
            let ids = table.records.filter { $0.isCanceled && $0.row != nil }.map(\.id)
            guard !ids.isEmpty, let strategy = table.layout.table.declaration.cancelling else { continue }
            do {
                try strategy(ids, &transaction)
            } catch {
                throw DionysusError.ofApplication(error, "the cancellation of \(table.layout.table.model) failed")
            }
        }
    }

    /// Gives the payloads of what was stored, and the ids of what was removed, to replicas that keep payloads elsewhere.
    fileprivate func keepPayloads(in transaction: inout Transaction) throws {
        for (number, table) in tables.enumerated() {
            guard let keeping = table.layout.table.declaration.payloadKeeping else { continue }
            let payloads = table.records.enumerated()
                .compactMap { place, record -> KeptPayload? in
                    if record.row == nil { return record.original == nil ? nil : KeptPayload(id: record.id, data: nil) }
                    return keptData[[number, place]].map { KeptPayload(id: record.id, data: $0) }
                }
            guard !payloads.isEmpty else { continue }
            do {
                try keeping.store(payloads, &transaction)
            } catch {
                throw DionysusError.ofApplication(
                    error,
                    "the storage of payloads of \(table.layout.table.model) failed"
                )
            }
        }
    }

    /// Has relationships resolved of records that are there, each once.
    fileprivate func resolve(in transaction: inout Transaction) throws {
        var places: [[Int]: [String: Int]] = [:]
        for (place, wish) in resolutions.enumerated() {
            places[[wish.table, wish.number], default: [:]][wish.own.resolution.relationship] = place
        }
        for (place, wish) in resolutions.enumerated() {
            let resolution = wish.own.resolution
            guard places[[wish.table, wish.number]]?[resolution.relationship] == place,
                tables[wish.table].records[wish.number].row != nil
            else { continue }
            do {
                try wish.own.resolver(resolution, &transaction)
            } catch {
                let name = "\(resolution.relationship) of \(resolution.parent.model)"
                throw DionysusError.ofApplication(error, "the resolution of \(name) failed")
            }
        }
    }
}
