import Dionysus

/// Writes a field's default, which a schema has in the form of JSON, as binary data.
struct DefaultEncoder {
    let schema: AvroSchema
    /// Whether a union's default may be of any branch, as newer versions of the specification say, or of the first only.
    let takesAnyBranch: Bool
    private(set) var writer = AvroWriter()
    /// Defaults of records within defaults can stand for far more data than there is text.
    private var values = 65_536
    private var depth = 0

    init(schema: AvroSchema, takesAnyBranch: Bool) {
        self.schema = schema
        self.takesAnyBranch = takesAnyBranch
    }

    mutating func encode(_ value: JSON, _ place: Int) throws(AvroFault) {
        guard depth < 64, values > 0, writer.bytes.count < 1 << 20 else {
            throw AvroFault("the default is too large, or contains itself")
        }
        values -= 1
        depth += 1
        defer { depth -= 1 }
        let type = schema.types[place]
        switch type.kind {
        case .null:
            guard value == .null else { throw misfit(value, type) }
        case .boolean:
            guard case .bool(let value) = value else { throw misfit(value, type) }
            writer.boolean(value)
        case .int:
            guard case .integer(let integer) = value, let value = Int32(exactly: integer) else {
                throw misfit(value, type)
            }
            writer.int(value)
        case .long:
            guard case .integer(let value) = value else { throw misfit(value, type) }
            writer.long(value)
        case .float:
            guard let value = AvroNumber.double(value) else { throw misfit(value, type) }
            writer.float(Float(value))
        case .double:
            guard let value = AvroNumber.double(value) else { throw misfit(value, type) }
            writer.double(value)
        case .string:
            guard case .string(let value) = value else { throw misfit(value, type) }
            writer.string(value)
        case .bytes:
            guard case .string(let text) = value, let bytes = [UInt8](latin1: text) else { throw misfit(value, type) }
            writer.bytes(bytes)
        case .fixed(let fixed):
            guard case .string(let text) = value, let bytes = [UInt8](latin1: text) else { throw misfit(value, type) }
            guard bytes.count == fixed.size else {
                throw AvroFault("\(fixed.name) has \(fixed.size) bytes, the default \(bytes.count)")
            }
            writer.fixed(bytes)
        case .enumeration(let enumeration):
            guard case .string(let symbol) = value, let index = enumeration.places[symbol] else {
                throw AvroFault("the default is no symbol of \(enumeration.name)")
            }
            writer.index(index)
        case .array(let items):
            guard case .array(let elements) = value else { throw misfit(value, type) }
            writer.blockCount(elements.count)
            for (index, element) in elements.enumerated() {
                do throws(AvroFault) { try encode(element, items) } catch { throw error.within(.element(index)) }
            }
            if !elements.isEmpty { writer.blockCount(0) }
        case .map(let values):
            guard case .object(let object) = value else { throw misfit(value, type) }
            writer.blockCount(object.members.count)
            for (index, member) in object.members.enumerated() {
                writer.string(member.name)
                do throws(AvroFault) { try encode(member.value, values) } catch { throw error.within(.entry(index)) }
            }
            if !object.members.isEmpty { writer.blockCount(0) }
        case .record(let record): try encode(value, record, type)
        case .union(let branches): try encode(value, branches)
        }
    }

    private mutating func encode(_ value: JSON, _ record: AvroRecordType, _ type: AvroType) throws(AvroFault) {
        guard case .object(let object) = value else { throw misfit(value, type) }
        for field in record.fields {
            guard let value = object[field.name] ?? field.defaultValue else {
                throw AvroFault("the value is missing").within(.field(field.name))
            }
            do throws(AvroFault) { try encode(value, field.type) } catch { throw error.within(.field(field.name)) }
        }
    }

    private mutating func encode(_ value: JSON, _ branches: [Int]) throws(AvroFault) {
        guard !branches.isEmpty else { throw AvroFault("a union without branches has no default") }
        for (index, branch) in branches.enumerated() {
            let mark = writer.bytes.count
            writer.index(index)
            do throws(AvroFault) {
                return try encode(value, branch)
            } catch {
                guard takesAnyBranch, index < branches.count - 1 else {
                    if index > 0 { throw AvroFault("the default is of no branch of the union") }
                    throw error.steps.isEmpty
                        ? AvroFault("\(error.message); a union's default is of its first branch") : error
                }
                writer.truncate(to: mark)
            }
        }
    }

    private func misfit(_ value: JSON, _ type: AvroType) -> AvroFault {
        AvroFault("\(value.kind) is no \(type.name ?? type.kind.word)")
    }
}

/// Numbers in Avro's JSON.
enum AvroNumber {
    /// A number, or one of the words for those that JSON can't express.
    static func double(_ value: JSON) -> Double? {
        switch value {
        case .integer(let value): Double(value)
        case .number(let digits): Double(digits).flatMap { $0.isFinite ? $0 : nil }
        case .string("NaN"): .nan
        case .string("Infinity"), .string("INF"): .infinity
        case .string("-Infinity"), .string("-INF"): -.infinity
        default: nil
        }
    }

    static func json(_ value: Double) -> JSON {
        value.isFinite ? .number("\(value)") : .string(word(isNaN: value.isNaN, isNegative: value < 0))
    }

    static func json(_ value: Float) -> JSON {
        value.isFinite ? .number("\(value)") : .string(word(isNaN: value.isNaN, isNegative: value < 0))
    }

    private static func word(isNaN: Bool, isNegative: Bool) -> String {
        isNaN ? "NaN" : isNegative ? "-Infinity" : "Infinity"
    }
}

extension [UInt8] {
    /// The bytes that text stands for in Avro's JSON, a character each.
    init?(latin1 text: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            guard let byte = UInt8(exactly: scalar.value) else { return nil }
            bytes.append(byte)
        }
        self = bytes
    }

    /// The bytes as text in Avro's JSON.
    var latin1: String {
        var text = String.UnicodeScalarView()
        for byte in self { text.append(Unicode.Scalar(byte)) }
        return String(text)
    }
}
