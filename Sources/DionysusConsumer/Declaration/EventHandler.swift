public import Dionysus

/// What a handler says of an event.
public struct HandlerResult: Sendable, Hashable {
    /// What an event is to be logged under, where the handler knows better than the event.
    struct Acknowledgement: Sendable, Hashable {
        var entityID: String?
        var time: Timestamp?
        var type: String?
        var version: Int64?
    }

    /// Nil if the event does not concern the handler.
    let acknowledgement: Acknowledgement?

    /// The event was handled.
    public static let acknowledged = HandlerResult(acknowledgement: Acknowledgement())

    /// The event does not concern the handler.
    public static let skipped = HandlerResult(acknowledgement: nil)

    /// The event was handled, and the event log is to show it under what the handler knows better than the event.
    /// - Parameters:
    ///   - entityID: The id of what it is about; nil for the record's id.
    ///   - time: When it happened; nil for the payload's time.
    ///   - type: What happened; nil for the event's name.
    ///   - version: How recent it is; nil for the message's version.
    public static func acknowledged(
        entityID: String? = nil,
        time: Timestamp? = nil,
        type: String? = nil,
        version: Int64? = nil
    ) -> HandlerResult {
        let acknowledgement = Acknowledgement(entityID: entityID, time: time, type: type, version: version)
        return HandlerResult(acknowledgement: acknowledgement)
    }
}

/// Handles an event inside the transaction that writes its record and the partition's offset, so that its effect on the
/// database takes place exactly once.
///
/// The transaction may be tried again, so the handler must not have other effects.
public typealias EventHandler = @Sendable (IncomingEvent, inout Transaction) throws -> HandlerResult

extension ConsumerTopic {
    /// Handles each event that the topic's filters accept, beside the replication of its record, in one transaction
    /// with it.
    ///
    ///     Topic("rentals").handling { event, transaction in
    ///         guard event.model == "Rental" else { return .skipped }
    ///         try transaction.run("INSERT INTO audit (rental) VALUES (\(event.entityID ?? ""))")
    ///         return .acknowledged
    ///     }
    ///
    /// The handler is called after the records of the batch have been written, in the order of the partition. It is called
    /// for every event, also for those that the batch transformation leaves out and that are older than the record; but
    /// not for messages that have failed, nor for events that the topic's event log has already.
    /// - Parameter handler: Called with each event; what it throws is a failure of the event's message, and undoes
    ///   everything that the message has changed.
    public func handling(_ handler: @escaping EventHandler) -> ConsumerTopic {
        changing { $0.handlers.append(handler) }
    }

    /// Handles the events of one model with their payloads decoded.
    ///
    ///     Topic("rentals").handling(Rental.self) { rental, event, transaction in
    ///         try transaction.run("UPDATE offers SET name = \(rental.name) WHERE rental_id = \(rental.id)")
    ///         return .acknowledged
    ///     }
    ///
    /// The payload is decoded as it is on the wire, under the names that it has there; sideloaded records stand in it
    /// under the names of their relationships. Everything else is as for ``handling(_:)``. Events of other models, and
    /// of other changes, are skipped.
    /// - Parameters:
    ///   - type: The type of the payload.
    ///   - model: The model's name on the wire; by default the type's.
    ///   - changes: The changes that are handled. By default not destructions, because the payload of a record that no
    ///     longer exists may have nothing but its id.
    ///   - handler: Called with each event; what it throws is a failure of the event's message, and so is a payload that
    ///     does not fit the type.
    public func handling<Payload: Decodable & Sendable>(
        _ type: Payload.Type,
        of model: String? = nil,
        on changes: Set<EventName.Change> = [.created, .updated],
        _ handler: @escaping @Sendable (Payload, IncomingEvent, inout Transaction) throws -> HandlerResult
    ) -> ConsumerTopic {
        let model = model ?? (type as? any Model.Type)?.modelName ?? String(describing: type)
        return handling { event, transaction in
            guard event.model == model, changes.contains(event.name.change) else { return .skipped }
            let decoder = JSONTreeDecoder(value: .object(event.payload), path: "the payload of \(model)")
            return try handler(try Payload(from: decoder), event, &transaction)
        }
    }
}
