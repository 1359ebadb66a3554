public import Dionysus

/// Ends records in a replica's own way, inside the transaction that writes their rows.
///
/// The ids are those of the source. The rows are there, with the attributes of the event.
public typealias CancellationStrategy = @Sendable ([DatabaseValue], inout Transaction) throws -> Void

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
    /// Columns that the database computes are never written anyhow.
    /// - Parameter columns: The columns, which are the application's own.
    /// - Returns: The replica with the choice.
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
    /// - Returns: The replica with the choice.
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
        changing { $0.cancelling = strategy }
    }
}
