/// Passes over data that the reader doesn't know.
extension AvroRunner {
    @usableFromInline package mutating func skip(_ index: Int) throws(AvroFault) {
        let op = ops[index]
        switch op.code {
        case .skipBoolean: _ = try boolean()
        case .skipInt: _ = try int()
        case .skipLong: _ = try long()
        case .skipSized: _ = try sized()
        case .skipFixed: _ = try take(op.a)
        case .skipArray, .skipMap: try skipBlocks(op)
        case .skipRecord:
            try enter()
            try spend(op.d)
            for place in op.a..<(op.a + op.b) {
                let step = steps[place]
                do throws(AvroFault) {
                    try skip(step.op)
                } catch {
                    throw placed(error, position).within(.field(program.texts[step.name]))
                }
            }
            depth -= 1
        case .skipUnion: try skip(branch(op))
        default: throw fault("the plan is wrong")
        }
    }

    private mutating func skipBlocks(_ op: AvroProgram.Op) throws(AvroFault) {
        try enter()
        while true {
            let start = position
            let announced = try long()
            if announced == 0 { break }
            if announced < 0 {
                let size = try long()
                guard size >= 0, size <= bytes.count - position else {
                    throw AvroFault("a block is said to have more bytes than there are", offset: start)
                }
                position += Int(size)
                continue
            }
            position = start
            guard let count = try block(minimumSize: op.b) else { break }
            for _ in 0..<count {
                if op.code == .skipMap { _ = try sized() }
                try skip(op.a)
            }
        }
        depth -= 1
    }
}
