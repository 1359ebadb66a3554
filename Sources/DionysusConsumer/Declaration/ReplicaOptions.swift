public import Dionysus

/// Ends records in a replica's own way, inside the transaction that writes their rows.
///
/// The ids are those of the source. The rows are there, with the attributes of the event.
public typealias CancellationStrategy = @Sendable ([DatabaseValue], inout Transaction) throws -> Void

/// Records of one replica that have been destroyed at the source.
public struct CanceledRecords: Sendable, Hashable {
    /// The model's name on the wire.
    public let model: String
    /// The replica's table.
    public let table: String
    /// The ids at the source.
    public let ids: [DatabaseValue]
}

/// A payload that an application keeps elsewhere.
public struct KeptPayload: Sendable, Hashable {
    /// The record's id at the source.
    public let id: DatabaseValue
    /// The whole payload under the names it has here; nil if the record is there no longer.
    public let data: JSON.Object?
}

/// How an application keeps payloads.
struct PayloadKeeping: Sendable {
    let store: @Sendable ([KeptPayload], inout Transaction) throws -> Void
    let read: @Sendable ([DatabaseValue], inout Transaction) throws -> [DatabaseValue: JSON.Object]
}

extension Persist {
    /// Gives the columns that Dionysus fills other names in this replica.
    ///
    ///     Persist("Rental", table: "rentals").columns {
    ///         $0.id = "remote_id"
    ///         $0.canceledAt = "archived_at"
    ///     }
    /// - Parameter change: Changes the names, which are those of the settings before.
    /// - Returns: The replica with the names.
    public func columns(_ change: @escaping @Sendable (inout ReplicaColumnNames) -> Void) -> Persist {
        changing { model in
            let earlier = model.renamesColumns
            model.renamesColumns = { names in
                earlier?(&names)
                change(&names)
            }
        }
    }

    /// Never writes columns, also if there are attributes of their names.
    ///
    /// Columns that the database computes are never written in any case.
    /// - Parameter columns: The columns, which are the application's own.
    public func readOnly(_ columns: String...) -> Persist {
        changing { $0.readOnly.formUnion(columns) }
    }

    /// Stores what an application makes of a payload, beside its attributes.
    ///
    ///     Persist("Rental", table: "rentals").storing { data in
    ///         ["extras": data["extras"] ?? .null, "search_text": data["name"] ?? .null]
    ///     }
    ///
    /// It overrules attributes of the same columns. It can't reach the columns that Dionysus fills, but for that of the
    /// whole payload.
    /// - Parameter values: The columns and their values, made of the whole payload under the names it has here.
    public func storing(_ values: @escaping @Sendable (JSON.Object) -> [String: JSON]) -> Persist {
        changing { $0.storing = values }
    }

    /// Ends records that are destroyed without a time of cancellation in the replica's own way, instead of deleting
    /// their rows.
    ///
    ///     Persist("Rental", table: "rentals").cancelling { ids, transaction in
    ///         for id in ids { try transaction.run("UPDATE rentals SET state = 'gone' WHERE synced_id = \(id)") }
    ///     }
    ///
    /// It also takes records whose time of cancellation the table has no column for. It is called once for all records
    /// of a batch whose last event ends them, after their attributes have been stored, and for the same record again
    /// when the event is delivered again. Records that are not known are not given to it. A later created or updated
    /// event only clears the column for soft deletion: what else the strategy did, it leaves.
    /// - Parameter strategy: Ends the records; what it throws is a failure of the messages.
    /// - Returns: The replica with the strategy.
    public func cancelling(_ strategy: @escaping CancellationStrategy) -> Persist {
        changing {
            $0.cancelling = strategy
            $0.endsAsSettingsSay = false
        }
    }

    /// Deletes the rows of records that are destroyed without a time of cancellation, whatever the settings say of others.
    public func deleting() -> Persist {
        changing {
            $0.softDeletes = false
            $0.cancelling = nil
            $0.endsAsSettingsSay = false
        }
    }

    /// Keeps whole payloads in another place than a column of the table: in another model's table, say.
    ///
    ///     Persist("Rental", table: "rentals").keepingPayloads { payloads, transaction in
    ///         for payload in payloads {
    ///             try transaction.run("DELETE FROM rental_payloads WHERE rental_id = \(payload.id)")
    ///             guard let data = payload.data else { continue }
    ///             try transaction.run(
    ///                 "INSERT INTO rental_payloads VALUES (\(payload.id), \(DatabaseValue.json(JSON.object(data).text)))"
    ///             )
    ///         }
    ///     } reading: { ids, transaction in
    ///         …
    ///     }
    /// - Parameters:
    ///   - store: Keeps the payloads of all records that a batch has stored or removed, each once, in the transaction of
    ///     their rows. What it throws is a failure of the messages.
    ///   - read: Finds payloads by the records' ids at the source; a backfill asks for as many as its batch has rows.
    public func keepingPayloads(
        _ store: @escaping @Sendable ([KeptPayload], inout Transaction) throws -> Void,
        reading read: @escaping @Sendable ([DatabaseValue], inout Transaction) throws -> [DatabaseValue: JSON.Object]
    ) -> Persist {
        changing { $0.payloadKeeping = PayloadKeeping(store: store, read: read) }
    }
}
