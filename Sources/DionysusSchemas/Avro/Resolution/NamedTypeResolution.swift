/// How enumerations and records are read, with the defaults of fields that the writer doesn't have.
extension Resolution {
    mutating func enumeration(
        _ from: AvroEnumerationType,
        _ to: AvroEnumerationType,
        _ pair: Pair,
        path: String
    ) -> Op {
        let fallback = to.defaultSymbol.flatMap { to.places[$0] }
        let symbols = from.symbols.map { to.places[$0] ?? fallback ?? -1 }
        for (symbol, place) in zip(from.symbols, symbols) where place < 0 {
            risks.append(
                AvroIncompatibility(
                    path: path,
                    reason: "the reader's \(to.name) has no symbol \(symbol), and no default"
                )
            )
        }
        table += symbols
        texts += from.symbols
        return Op(
            .enumeration,
            a: table.count - symbols.count,
            b: symbols.count,
            type: pair.to,
            d: texts.count - symbols.count
        )
    }

    mutating func record(_ from: AvroRecordType, _ to: AvroRecordType, _ pair: Pair, path: String) -> Op? {
        let targets = targets(from, to)
        var result: [AvroProgram.Step] = []
        var free = 0
        for (index, field) in from.fields.enumerated() {
            let name = text(field.name)
            if minimumSize(field.type, pair.side) == 0 { free += 1 }
            guard let target = targets[index] else {
                result.append(AvroProgram.Step(op: skip(field.type), field: -1, name: name))
                continue
            }
            let fieldPair = Pair(side: pair.side, from: field.type, to: to.fields[target].type)
            // A fault of one field doesn't hide those of the others.
            guard let op = resolve(fieldPair, path: "\(path)\(path.isEmpty ? "" : ".")\(to.fields[target].name)") else {
                continue
            }
            result.append(AvroProgram.Step(op: op, field: target, name: name))
        }
        let read = Set(targets.compactMap { $0 })
        for (index, field) in to.fields.enumerated() where !read.contains(index) {
            guard let (op, size) = defaultOp(field, path: "\(path)\(path.isEmpty ? "" : ".")\(field.name)") else {
                continue
            }
            result.append(AvroProgram.Step(op: op, field: index, name: text(field.name)))
            free += 1 + size
        }
        steps += result
        return Op(.record, a: steps.count - result.count, b: result.count, type: pair.to, d: free)
    }

    /// Which of the reader's fields takes the data of each of the writer's: by name, and where there is none by alias.
    private func targets(_ from: AvroRecordType, _ to: AvroRecordType) -> [Int?] {
        var targets: [Int?] = from.fields.map { to.places[$0.name] }
        for (index, field) in to.fields.enumerated() where from.places[field.name] == nil {
            let source = field.aliases.lazy.compactMap { from.places[$0] }.first { targets[$0] == nil }
            if let source { targets[source] = index }
        }
        return targets
    }

    private mutating func defaultOp(_ field: AvroRecordType.Field, path: String) -> (op: Int, size: Int)? {
        guard let value = field.defaultValue else {
            faults.append(
                AvroIncompatibility(
                    path: path,
                    reason: "the writer has no such field, and the reader no default for it"
                )
            )
            return nil
        }
        var encoder = DefaultEncoder(schema: reader, takesAnyBranch: true)
        do throws(AvroFault) {
            try encoder.encode(value, field.type)
        } catch {
            faults.append(
                AvroIncompatibility(
                    path: path,
                    reason: "the writer has no such field, and the default is wrong: \(error.message)"
                )
            )
            return nil
        }
        guard let op = resolve(Pair(side: .reader, from: field.type, to: field.type), path: path) else { return nil }
        let bytes = encoder.writer.bytes
        stored.append(bytes)
        ops.append(Op(.stored, a: stored.count - 1, b: op, type: field.type))
        return (ops.count - 1, bytes.count)
    }
}
