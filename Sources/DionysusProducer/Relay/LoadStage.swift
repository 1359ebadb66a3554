import Dionysus

/// Loading the next rows of a batch.
extension RelayPipeline {
    /// Loads as many rows as the memory budget has room for: one at least.
    ///
    /// How many that are is judged by the records of the same models that were loaded last. If these are much larger, loading
    /// stops before they are all here, and begins again with half of the rows. A single record that is too large waits until
    /// nothing else takes memory.
    /// - Parameters:
    ///   - rows: Rows of a batch, of which the first ones are loaded.
    ///   - most: How many rows of this batch may be loaded at once: fewer since some were too large.
    /// - Returns: These rows, their records, and the memory that they take until their messages have been acknowledged.
    func loadSlice(
        of rows: ArraySlice<OutboxRow>,
        atMost most: inout Int
    ) async throws -> (slice: MessageSlice, records: LoadedBatch, memory: MemoryBudget.Reservation) {
        let budget = settings.memoryBudget
        let share = budget.size / Self.slicesAtOnce
        var (count, bytes) = sizes.slice(of: rows.prefix(most), upTo: share)
        while true {
            let memory = try await budget.reserve(bytes)
            let slice = MessageSlice(rows: Array(rows.prefix(count)))
            let isAlone = bytes >= budget.size
            let limit = isAlone ? nil : RecordSizes.loadedSize(ofTotal: max(bytes, share)) * Self.tolerance
            let records = try await telemetry.stage(.load) { try await loader.loadWhatCanBe(slice.rows, upTo: limit) }
            if let records {
                sizes.note(records)
                sizes.note(records.messages, of: slice.rows)
                return (slice, records, memory)
            }
            memory.release()
            if count > 1 { count /= 2 } else { bytes = budget.size }
            most = max(count, Self.fewest)
        }
    }

    private static let slicesAtOnce = 4
    /// How many rows are tried at once, however large some of their batch are.
    private static let fewest = 16
    /// How much larger than their share of the budget records may be before they are loaded in smaller slices.
    private static let tolerance = 2
}
