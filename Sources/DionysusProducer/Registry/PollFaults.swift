import Dionysus

extension Registry {
    /// What of the declared polls contradicts itself or the rest of the declaration, a line each.
    var pollFaults: [String] {
        var faults: [String] = []
        var names: Set<String> = []
        let models = models
        for poll in polls {
            let place = "poll \(poll.name)"
            if !names.insert(poll.name).inserted { faults.append("\(place) is declared twice: name one of them") }
            if poll.name.isEmpty || poll.name.utf8.contains(0) { faults.append("\(place): it needs a name") }
            if poll.every <= .zero { faults.append("\(place): every must be longer than zero") }
            if poll.delay < .zero { faults.append("\(place): delay must not be negative") }
            if case .time(_, let rereading, _) = poll.method.kind, rereading < .zero {
                faults.append("\(place): rereading must not be negative")
            }
            if case .state(_, let published, let failed, _) = poll.method.kind, published == failed {
                faults.append("\(place): published and failed are the same state")
            }
            if poll.model.captureMethod != .polling {
                faults.append(
                    "\(place): changes of \(poll.model) are captured by \(poll.model.captureMethod.rawValue) already: "
                        + "let its captureMethod be polling, and migrate"
                )
            }
            if !models.contains(poll.model) { faults.append("\(place): nothing about \(poll.model) is published") }
        }
        for model in models where model.captureMethod == .polling && !polls.contains(where: { $0.model == model }) {
            faults.append("model \(model): its captureMethod is polling, and no poll of it is declared")
        }
        return faults
    }

    /// What of the declared polls doesn't fit the database, a line each.
    func pollFaults(in catalogue: Catalogue) -> [String] {
        polls.flatMap { poll -> [String] in
            // A missing table is reported with the model.
            guard let table = catalogue[poll.model.table] else { return [] }
            return poll.faults(in: table, catalogue.dialect).map { "poll \(poll.name): \($0)" }
        }
    }
}

extension PolledModel {
    fileprivate func faults(in table: TableDescription, _ dialect: (any SQLDialect)?) -> [String] {
        func missing(_ column: String) -> String { "table \(table.name) has no column \(column)" }
        switch method.kind {
        case .time(let name, _, _):
            guard let column = table.column(name) else { return [missing(name)] }
            return column.holdsTimes(dialect) ? [] : ["column \(name) of table \(table.name) holds no times"]
        case .state(let name, let published, let failed, let publishedAt):
            guard let column = table.column(name) else { return [missing(name)] }
            var faults =
                [published, failed].contains { column.value(of: $0) == nil }
                ? ["a state is not of the type of column \(name), \(column.declaredType)"] : []
            if let publishedAt {
                if let time = table.column(publishedAt) {
                    if !time.holdsTimes(dialect) { faults.append("column \(publishedAt) holds no times") }
                } else {
                    faults.append(missing(publishedAt))
                }
            }
            return faults
        case .fullTable: return []
        }
    }
}

extension ColumnDescription {
    /// Where times have no type of their own, they are kept as text.
    fileprivate func holdsTimes(_ dialect: (any SQLDialect)?) -> Bool {
        if type == .timestamp { return true }
        guard let dialect, !dialect.enforcesTypes else { return false }
        let declared = declaredType.uppercased()
        return declared == dialect.columnType(.timestamp) || declared.contains("TEXT") || declared.contains("CHAR")
            || declared.contains("DATE") || declared.contains("TIME")
    }
}
