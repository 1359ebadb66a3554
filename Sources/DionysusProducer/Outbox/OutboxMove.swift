import Dionysus

/// A row whose record may have come here from another partition key.
struct OutboxMove: Sendable {
    let row: OutboxRow
    /// What decided the lane of the record's earlier rows; nil if the row doesn't say.
    let formerLaneText: String?
}

extension OutboxRow {
    /// The move that the row records, if it does.
    func move(in publication: Registry.Publication) -> OutboxMove? {
        guard case .column(let column) = publication.partitionKey, topic != Self.observerTopic else { return nil }
        let values = values(of: column)
        guard values.count == 2 else { return nil }
        // A new or a deleted record has one key, and that of one which was restored isn't known: these follow destructions.
        if change != .updated, values[0] == .null || values[1] == .null || values[0] == values[1] { return nil }
        return OutboxMove(row: self, formerLaneText: formerLaneText(values[0], now: values[1]))
    }

    /// Whether the record may have had another partition key before without its having been recorded.
    ///
    /// Then the last that was recorded is its destruction: it was deleted and created again, or it moved while it was
    /// soft-deleted and its changes were not captured.
    func mayFollowDestruction(in publication: Registry.Publication) -> Bool {
        guard case .column = publication.partitionKey, topic != Self.observerTopic else { return false }
        return change != .updated || publication.model.updatesAfterSoftDelete != nil
    }

    /// A value in JSON may be written differently from the partition key; the new value shows whether it is.
    private func formerLaneText(_ former: JSON, now: JSON) -> String? {
        guard former != now, now.keyText == partitionKey else { return nil }
        switch former {
        case .null: return "\(resourceClass):\(resourceID)"
        case .integer, .number: return former.keyText
        default: return now == .null ? nil : former.keyText
        }
    }
}

extension Outbox {
    /// The ids of those of a lane's rows whose record has moved here while earlier rows of it still wait in another lane.
    ///
    /// The lane that the record has left is asked, from its mark up to the moved row: what lies behind costs nothing, however
    /// much it is. For a row that doesn't say where its record was, all other lanes are asked.
    /// - Parameter followers: Rows that wait for their record's destruction, wherever it is.
    func waitingForAnotherLane(
        _ moves: [OutboxMove],
        _ followers: [OutboxRow] = [],
        lane number: Int,
        in transaction: inout Transaction
    ) throws -> Set<Int64> {
        let lanesOfTexts = try lanes(of: moves.compactMap(\.formerLaneText).withoutRepetitions, in: &transaction)
        var moved: [Int: [OutboxRow]] = [:]
        for move in moves {
            let former = move.formerLaneText.flatMap { lanesOfTexts[$0] }
            for lane in former.map({ [$0] }) ?? Array(0..<lanes) where lane != number {
                moved[lane, default: []].append(move.row)
            }
        }
        var waiting: Set<Int64> = []
        var questions = moved.flatMap { lane, rows in earlierRows(of: rows, inLane: lane).map { (rows, $0) } }
        if !followers.isEmpty {
            questions.append((followers, earlierDestructions(of: followers, outsideLane: number)))
        }
        for ((rows, _), found) in zip(questions, try transaction.run(questions.map(\.1))) where !found.isEmpty {
            let earlier = try found.rows.map { row in
                (PlainReference(try row.text(1), try row.text(2), try row.text(3)), try row.integer(0) ?? 0)
            }
            let first = Dictionary(earlier, uniquingKeysWith: min)
            for row in rows {
                guard let id = first[PlainReference(row.topic, row.resourceClass, row.resourceID)] else { continue }
                if id < row.id { waiting.insert(row.id) }
            }
        }
        return waiting
    }

    /// A record by its key as it was recorded.
    private struct PlainReference: Hashable {
        let topic: String?
        let modelName: String?
        let id: String?

        init(_ topic: String?, _ modelName: String?, _ id: String?) {
            self.topic = topic
            self.modelName = modelName
            self.id = id
        }
    }

    private func lanes(of texts: [String], in transaction: inout Transaction) throws -> [String: Int] {
        guard !texts.isEmpty else { return [:] }
        let column = BulkColumn("text", .text, texts.map { .text($0) })
        let found = try transaction.run(
            """
            SELECT m.text, \(raw: dialect.laneExpression("m.text", lanes: lanes)) FROM \(dialect.rows([column], alias: "m"))
            """
        )
        let pairs = try found.rows.compactMap { row in
            try row.text(0).flatMap { text in try row.integer(1).map { (text, Int($0)) } }
        }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// The queries for rows of a lane that are still to be published and precede the last of some moved ones, of their records.
    func earlierRows(of moved: [OutboxRow], inLane number: Int) -> [SQL] {
        let isMoved = isRecord(of: moved)
        let last = moved.map(\.id).max() ?? 0
        return Self.unsettled.map { stage in
            """
            SELECT o.id, o.topic, o.resource_class, o.resource_id FROM \(tables.outbox) o
            WHERE \(lane(of: "o.")) = \(number) AND o.published_at IS NULL AND \(isAt(stage))
              AND \(isAboveLowWater("o.", number)) AND o.id < \(last) AND \(isMoved)
            """
        }
    }

    /// The query for whether any destruction is still to be published.
    ///
    /// It is ordered as the index is, so that it is found there and nowhere else.
    func someDestruction() -> SQL {
        """
        SELECT 1 FROM \(tables.outbox) o WHERE \(OutboxTables.isPendingDestruction(of: "o."))
        ORDER BY o.resource_id, o.resource_class LIMIT 1
        """
    }

    /// The query for destructions in other lanes that are still to be published and precede the last of some rows, of their
    /// records.
    func earlierDestructions(of rows: [OutboxRow], outsideLane number: Int) -> SQL {
        """
        SELECT o.id, o.topic, o.resource_class, o.resource_id FROM \(tables.outbox) o
        WHERE \(OutboxTables.isPendingDestruction(of: "o.")) AND \(Self.isNotParked)
          AND \(isRecord(of: rows))
          AND o.id < \(rows.map(\.id).max() ?? 0) AND \(lane(of: "o.")) <> \(number)
        """
    }

    /// Whether a row `o` has the record's id of one of some rows.
    ///
    /// An id with a zero byte, which SQLite reads and can't take, fails its own row when that is published.
    private func isRecord(of rows: [OutboxRow]) -> SQL {
        let ids = rows.map(\.resourceID).filter { !$0.utf8.contains(0) }.withoutRepetitions
        return dialect.isAny("o.resource_id", of: ids.map { .text($0) }, type: .text)
    }
}
