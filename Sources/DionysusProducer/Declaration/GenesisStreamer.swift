public import Dionysus

/// What happens to the records of a chunk of a genesis run.
///
///     struct Throttled: GenesisStreamer {
///         func stream(_ chunk: GenesisChunk, in transaction: inout Transaction) throws -> GenesisRows {
///             let wanted = try chunk.recordIDs(in: &transaction).filter(isWanted)
///             return try chunk.queue(wanted, in: &transaction)
///         }
///     }
///
/// It runs in the transaction that marks the chunk as done, so that a chunk is streamed whole and once, even
/// if the process dies. When it throws an error that isn't retriable, the run fails, and can be resumed.
public protocol GenesisStreamer: Sendable {
    /// Streams a chunk.
    /// - Parameters:
    ///   - chunk: The chunk.
    ///   - transaction: The transaction that marks it as done.
    /// - Returns: What was written to the outbox, as ``GenesisChunk/queue(in:)`` returns it.
    func stream(_ chunk: GenesisChunk, in transaction: inout Transaction) throws -> GenesisRows
}

/// Writes every record of a chunk to the outbox.
package struct OutboxStreamer: GenesisStreamer {
    /// Creates the streamer.
    package init() {}

    package func stream(_ chunk: GenesisChunk, in transaction: inout Transaction) throws -> GenesisRows {
        try chunk.queue(in: &transaction)
    }
}

/// Rows of the outbox that a chunk was made into.
public struct GenesisRows: Sendable {
    /// How many records were streamed.
    package let count: Int
    let first: Int64?
    let last: Int64?

    /// Records that were streamed in another way than through the outbox.
    /// - Parameter count: How many.
    public init(streamedElsewhere count: Int) {
        self.count = count
        (first, last) = (nil, nil)
    }

    init(ids: [Int64]) {
        count = ids.count
        (first, last) = (ids.min(), ids.max())
    }
}

/// A part of a genesis run: the records of a range of primary keys.
public struct GenesisChunk: Sendable {
    /// The run.
    public let runID: Int64
    /// The chunk's number in its run, counted from zero.
    public let number: Int64
    /// The topic's full name.
    public let topic: String
    /// The model's name.
    public let model: String
    let records: any ChunkRecords

    /// The primary keys of the chunk's records as text, in their order.
    /// - Throws: ``/Dionysus/DionysusError`` as for a transaction.
    public func recordIDs(in transaction: inout Transaction) throws -> [String] { try records.ids(in: &transaction) }

    /// Writes all records of the chunk to the outbox, in one statement.
    /// - Throws: ``/Dionysus/DionysusError`` as for a transaction.
    public func queue(in transaction: inout Transaction) throws -> GenesisRows {
        try records.queue(only: nil, in: &transaction)
    }

    /// Writes some records of the chunk to the outbox, in one statement.
    /// - Parameters:
    ///   - ids: The primary keys of the records; those that aren't the chunk's are left out.
    ///   - transaction: The transaction that marks the chunk as done.
    /// - Throws: ``/Dionysus/DionysusError`` as for a transaction.
    public func queue(_ ids: [String], in transaction: inout Transaction) throws -> GenesisRows {
        try records.queue(only: ids, in: &transaction)
    }
}

/// Reads the records of a chunk, and writes them to the outbox.
protocol ChunkRecords: Sendable {
    /// The primary keys as text, in their order.
    func ids(in transaction: inout Transaction) throws -> [String]

    /// Writes the records to the outbox: all of them, or only those with these primary keys.
    func queue(only ids: [String]?, in transaction: inout Transaction) throws -> GenesisRows
}
