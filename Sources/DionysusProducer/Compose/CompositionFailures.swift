import Dionysus

/// Why rows can't be composed into messages.
extension Composition {

    func undeclared(_ row: OutboxRow) -> DionysusError {
        DionysusError(
            .declaration,
            "row \(row.id) of the outbox is for model \(row.resourceClass) in topic \(row.topic), which is not declared",
            advice: "declare it and retry the row, or discard the row"
        )
    }

    func unprepared(_ group: RecordGroup) -> DionysusError {
        DionysusError(.application, "how records of topic \(group.topic) are written has not been found out")
    }

    func loadingFailure(_ row: OutboxRow, _ error: any Error) -> DionysusError {
        DionysusError(
            .statement,
            "\(row.record.messageKey) can't be loaded for topic \(row.topic): \(error.summary)",
            underlying: error
        )
    }

    func misplacedKey(_ row: OutboxRow, _ key: RecordKey) -> DionysusError {
        DionysusError(
            .typeMismatch,
            "row \(row.id) of the outbox is for a record of \(row.resourceClass) whose primary key is stored as something "
                + "else than \(key.name)",
            advice: "store the key as \(key.name) and publish the record again, or discard the row if it is gone"
        )
    }

    func serializationFailure(_ row: OutboxRow, _ error: any Error) -> DionysusError {
        // What the registry or the schema refuses keeps its name.
        let kept = (error as? DionysusError)?.code == .schemaRejected ? DionysusError.Code.schemaRejected : .application
        return DionysusError(
            kept,
            "\(row.record.messageKey) can't be serialized for topic \(row.topic): \(error.summary)",
            underlying: error
        )
    }
}
