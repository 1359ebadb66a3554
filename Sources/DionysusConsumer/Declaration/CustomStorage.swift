public import Dionysus

/// Stores events of a model in an application's own way, inside the transaction that moves the partition's offset.
///
/// The events of a record come in the order of its partition; events of other models may have been applied before. The
/// transaction may be tried again, so the closure must not have other effects.
public typealias RecordHandler = @Sendable ([IncomingEvent], inout Transaction) throws -> Void

extension Persist where Record == UntypedRecord {
    /// Declares that an application stores a model itself.
    ///
    ///     Persist("Invoice") { events, transaction in
    ///         for event in events where event.name.change == .created {
    ///             try transaction.run("INSERT INTO ledger (number) VALUES (\(event.data["number"]?.text ?? ""))")
    ///         }
    ///     }
    ///
    /// All events of a batch are handed over in one call, one for each record, with what came along in it. Neither
    /// versions nor times are compared: an event may be older than what is stored.
    /// - Parameters:
    ///   - remoteName: The model's name on the wire.
    ///   - handler: Stores the events; what it throws is a failure of their messages.
    public init(_ remoteName: String, with handler: @escaping RecordHandler) {
        element = ReplicaModel(remoteName: remoteName, table: nil)
        element.customStorage = handler
    }
}

extension Persist {
    /// Hands over created events of topics that import, whole, instead of storing their records one by one.
    ///
    ///     Topic("heavy_records", imports: true)
    ///     …
    ///     Persist("HeavyRecord", table: "heavy_records").importRecords { events, transaction in … }
    ///
    /// Consecutive events are handed over in one call. Updated events are stored in the table as usual. Records that came
    /// along in an event are handed over in it (``IncomingEvent/related``), and not stored.
    /// - Parameter handler: Stores the events; what it throws is a failure of their messages.
    public func importRecords(_ handler: @escaping RecordHandler) -> Persist {
        changing { $0.importing = handler }
    }

    /// Hands over destroyed events of topics that import, whole, instead of deleting their records one by one.
    /// - Parameter handler: Removes the records; what it throws is a failure of their messages.
    public func destroyRecords(_ handler: @escaping RecordHandler) -> Persist {
        changing { $0.destroying = handler }
    }
}

extension ReplicaModel {
    /// The closure that takes events of topics that import, or nil if they are stored in the table.
    func importHandler(of change: EventName.Change) -> RecordHandler? {
        switch change {
        case .created: importing
        case .updated: nil
        case .destroyed: destroying
        }
    }
}
