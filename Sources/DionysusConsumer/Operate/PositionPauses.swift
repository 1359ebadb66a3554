import Dionysus

extension ConsumerPositions {
    /// The partitions of the group that are paused.
    /// - Throws: ``/Dionysus/DionysusError``: `declaration` if the tables are missing, and as for a transaction.
    package func paused() async throws -> [PausedPartition] {
        try await database.transaction(.snapshot) { [offsets] transaction in
            try Self.requireTables(in: &transaction)
            return try PartitionPauses(group: offsets.group).load(in: &transaction)
        }
    }

    /// Pauses a topic: consumers that run finish their present batches within about two seconds, and apply nothing of it
    /// until it is resumed, however often they are started again.
    /// - Parameters:
    ///   - topic: The topic's full name.
    ///   - partition: The partition's number; nil for all that there are now.
    ///   - actor: Who pauses it.
    /// - Returns: How many partitions were not paused before.
    /// - Throws: ``/Dionysus/DionysusError``: `unknownTopic` for a topic that isn't consumed or doesn't exist, `declaration`
    ///   if the tables are missing; and what the database and the broker throw.
    package func pause(_ topic: String, partition: Int32? = nil, by actor: String) async throws -> Int {
        try requireConsumed(topic)
        let partitions = try await partitions(of: topic, partition)
        return try await database.transaction(.write) { [offsets] transaction in
            try Self.requireTables(in: &transaction)
            return try PartitionPauses(group: offsets.group).pause(partitions, by: actor, in: &transaction)
        }
    }

    /// Resumes a topic: consumers go on where its offsets are by then.
    /// - Parameters:
    ///   - topic: The topic's full name, also of one that is no longer consumed.
    ///   - partition: The partition's number; nil for all of them.
    /// - Returns: How many partitions were paused.
    /// - Throws: As ``paused()``.
    package func resume(_ topic: String, partition: Int32? = nil) async throws -> Int {
        try await database.transaction(.write) { [offsets] transaction in
            try Self.requireTables(in: &transaction)
            return try PartitionPauses(group: offsets.group).resume(topic, partition, in: &transaction)
        }
    }
}
