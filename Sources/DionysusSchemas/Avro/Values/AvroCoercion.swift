public import Dionysus

import struct Foundation.UUID

/// Writes values of databases and of JSON in the binary encoding, each as the type of a schema that it is meant for.
///
/// This is the source for what is published: fields are written one after another, in the schema's order, straight into a
/// buffer that is used again.
///
///     var coercion = AvroCoercion(schema: schema)
///     for (field, value) in zip(fields, row) { try coercion.write(value, field.type) }
///     coercion.bytes
///
/// A number is taken from its text and a point in time from ISO 8601, times become numbers by the logical type, everything has a
/// text, and no digit is lost silently: what would be is refused. Booleans are booleans only. Of a union's branches the first is
/// taken that has the value's own type, or else the first that takes it.
package struct AvroCoercion: Sendable {
    package let schema: AvroSchema
    /// What has been written.
    package var writer = AvroWriter()
    private var depth = 0

    package init(schema: AvroSchema) { self.schema = schema }

    package var bytes: [UInt8] { writer.bytes }

    /// Forgets what was written and keeps the memory.
    package mutating func reset() { writer.reset() }

    /// Writes a database's value as one of the schema's types.
    package mutating func write(_ value: DatabaseValue, _ type: Int) throws(AvroFault) {
        // It is part of a datum.
        depth = 1
        switch value {
        case .array(_, let elements): try write(.list(elements.map { AvroInput($0) }), type)
        case .json: try write(AvroInput(value), type)
        default: try write(scalar: value, type)
        }
    }

    /// Writes a document as one of the schema's types.
    package mutating func write(_ value: JSON, _ type: Int) throws(AvroFault) {
        depth = 1
        try write(AvroInput(value), type)
    }

    mutating func write(_ input: AvroInput, _ place: Int) throws(AvroFault) {
        guard depth < AvroLimits.depth else { throw AvroFault("data is nested over \(AvroLimits.depth) levels") }
        if case .scalar(let value) = input { return try write(scalar: value, place) }
        depth += 1
        defer { depth -= 1 }
        let type = schema.types[place]
        switch (type.kind, input) {
        case (.union(let branches), _): try write(input, branches)
        case (.array(let items), .list(let elements)):
            if !elements.isEmpty { writer.blockCount(elements.count) }
            for (index, element) in elements.enumerated() {
                do throws(AvroFault) { try write(element, items) } catch { throw error.within(.element(index)) }
            }
            writer.blockCount(0)
        case (.map(let values), .object(let members)):
            if !members.isEmpty { writer.blockCount(members.count) }
            for (index, member) in members.enumerated() {
                writer.string(member.name)
                do throws(AvroFault) { try write(member.value, values) } catch { throw error.within(.entry(index)) }
            }
            writer.blockCount(0)
        case (.record(let record), .object(let members)): try write(members, record)
        case (.fixed, .object(let members)) where type.logical == .duration: try write(duration: members)
        case (.string, _) where type.holdsJSON: writer.string(input.json.text)
        default: throw AvroConversion.misfit(input.kind, type)
        }
    }

    private mutating func write(_ members: [AvroInput.Member], _ record: AvroRecordType) throws(AvroFault) {
        // Depth 1 is the datum itself, of which a schema may want less than there is.
        if depth > 1, let unknown = members.first(where: { record.places[$0.name] == nil }) {
            throw AvroFault(
                "the record \(record.name) has no field \"\(unknown.name.prefix(100).description.printable())\""
            )
        }
        for (index, field) in record.fields.enumerated() {
            let value =
                index < members.count && members[index].name == field.name
                ? members[index].value : members.last { $0.name == field.name }?.value
            do throws(AvroFault) {
                if let value { try write(value, field.type) } else { try writeMissing(field) }
            } catch {
                throw error.within(.field(field.name))
            }
        }
    }

    /// Writes a field for which there is no value: its default, or null where that may be.
    package mutating func writeMissing(_ field: AvroRecordType.Field) throws(AvroFault) {
        if let value = field.defaultValue {
            var encoder = DefaultEncoder(schema: schema, takesAnyBranch: true)
            try encoder.encode(value, field.type)
            return writer.fixed(encoder.writer.bytes)
        }
        switch schema.types[field.type].kind {
        case .null: return
        case .union(let branches):
            guard let index = branches.firstIndex(where: { schema.types[$0].isNull }) else { break }
            return writer.index(index)
        default: break
        }
        throw AvroFault("the value is missing, and the field has no default")
    }

    // MARK: Unions

    private mutating func write(_ input: AvroInput, _ branches: [Int]) throws(AvroFault) {
        if case .scalar(.null) = input {
            guard let index = branches.firstIndex(where: { schema.types[$0].isNull }) else {
                throw AvroFault("null is no branch of the union")
            }
            return writer.index(index)
        }
        let mark = writer.bytes.count
        var first: AvroFault?
        for exactly in [true, false] {
            for (index, branch) in branches.enumerated() where input.suits(schema.types[branch], exactly: exactly) {
                writer.index(index)
                do throws(AvroFault) {
                    return try write(input, branch)
                } catch {
                    writer.truncate(to: mark)
                    first = first ?? error
                }
            }
        }
        throw first ?? AvroFault("\(input.kind) is no branch of the union")
    }

    // MARK: Scalars

    private mutating func write(scalar value: DatabaseValue, _ place: Int) throws(AvroFault) {
        let scalar = schema.scalars[place]
        if writer.write(value, as: scalar) { return }
        if let branches = scalar.branches, case .union(let types) = schema.types[place].kind {
            writer.index(branches.value)
            return try write(scalar: value, types[branches.value])
        }
        let type = schema.types[place]
        switch type.kind {
        case .null: guard value.isNull else { throw AvroConversion.misfit(value, type) }
        case .boolean:
            guard case .bool(let value) = value else { throw AvroConversion.misfit(value, type) }
            writer.boolean(value)
        case .int:
            let number = try AvroConversion.integer(value, type)
            guard let int = Int32(exactly: number) else { throw AvroFault("the number is out of the range of int") }
            writer.int(int)
        case .long: writer.long(try AvroConversion.integer(value, type))
        case .float:
            let double = try AvroConversion.double(value, type)
            let float = Float(double)
            guard float.isFinite || !double.isFinite else { throw AvroFault("the number is out of the range of float") }
            writer.float(float)
        case .double: writer.double(try AvroConversion.double(value, type))
        case .string: try write(text: value, type)
        case .bytes:
            if case .decimal(let precision, let scale)? = type.logical {
                let number = try AvroConversion.decimal(value, type)
                writer.bytes(try LogicalValue.bytes(number, precision: precision, scale: scale))
            } else {
                writer.bytes(try AvroConversion.bytes(value, type))
            }
        case .fixed(let fixed): try write(value, fixed, type)
        case .enumeration(let enumeration):
            guard case .text(let symbol) = value else { throw AvroConversion.misfit(value, type) }
            guard let index = enumeration.places[symbol] else {
                throw AvroFault("the value is no symbol of \(enumeration.name)")
            }
            writer.index(index)
        case .union(let branches): try write(.scalar(value), branches)
        case .array, .map, .record:
            if case .json(let text) = value, let json = try? JSON(parsing: Array(text.utf8)) {
                return try write(AvroInput(json), place)
            }
            throw AvroConversion.misfit(value, type)
        }
    }

    private mutating func write(text value: DatabaseValue, _ type: AvroType) throws(AvroFault) {
        if type.logical == .uuid {
            switch value {
            case .uuid(let uuid): return writer.string(uuid.uuidString.lowercased())
            case .text(let text):
                if let uuid = UUID(uuidString: text) { return writer.string(uuid.uuidString.lowercased()) }
            default: break
            }
            throw AvroConversion.misfit(value, type)
        }
        if type.logical == .json { return writer.string(AvroInput.scalar(value).json.text) }
        switch value {
        case .text(let text), .json(let text): writer.string(text)
        case .bool(let value): writer.string(value ? "true" : "false")
        case .integer(let value): writer.string(String(value))
        case .double(let value): writer.string("\(value)")
        case .decimal(let value): writer.string(value.description)
        case .timestamp(let value): writer.string(value.description)
        case .uuid(let value): writer.string(value.uuidString.lowercased())
        case .null, .bytes, .array: throw AvroConversion.misfit(value, type)
        }
    }

    private mutating func write(_ value: DatabaseValue, _ fixed: AvroFixedType, _ type: AvroType) throws(AvroFault) {
        let bytes: [UInt8]
        switch (type.logical, value) {
        case (.decimal(let precision, let scale)?, _):
            let digits = try LogicalValue.bytes(AvroConversion.decimal(value, type), precision: precision, scale: scale)
            let sign: UInt8 = digits[0] >= 0x80 ? 0xff : 0
            bytes = [UInt8](repeating: sign, count: max(0, fixed.size - digits.count)) + digits
        case (.uuid?, .uuid(let uuid)): bytes = withUnsafeBytes(of: uuid.uuid) { Array($0) }
        case (.uuid?, .text(let text)):
            guard let uuid = UUID(uuidString: text) else { throw AvroConversion.misfit(value, type) }
            bytes = withUnsafeBytes(of: uuid.uuid) { Array($0) }
        default: bytes = try AvroConversion.bytes(value, type)
        }
        guard bytes.count == fixed.size else {
            throw AvroFault("\(fixed.name) has \(fixed.size) bytes, the value \(bytes.count)")
        }
        writer.fixed(bytes)
    }

    private mutating func write(duration members: [AvroInput.Member]) throws(AvroFault) {
        for name in ["months", "days", "milliseconds"] {
            guard case .scalar(.integer(let number))? = members.first(where: { $0.name == name })?.value,
                let part = UInt32(exactly: number)
            else { throw AvroFault("a duration needs \(name), a whole number of 32 bits").within(.field(name)) }
            withUnsafeBytes(of: part.littleEndian) { writer.fixed(Array($0)) }
        }
    }
}

extension AvroSchema {
    /// A document of any origin as a value of this schema, by the rules of ``encode(coercing:)``.
    /// - Parameter json: The document.
    /// - Returns: The value.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path of the field that doesn't fit.
    package func coerce(_ json: JSON) throws -> AvroValue { try decode(encode(coercing: json)) }

    /// Writes a document of any origin in the binary encoding.
    ///
    /// Top-level members that the schema doesn't have are left out, and those that are missing get their defaults, or null where
    /// that may be. Numbers and times are read from text, dates and decimals written as the logical type has them, and whatever
    /// would lose a digit is refused.
    /// - Parameter json: The document.
    /// - Returns: The bytes.
    /// - Throws: ``/Dionysus/DionysusError`` with code `malformed` and the path of the field that doesn't fit.
    public func encode(coercing json: JSON) throws -> [UInt8] { try encode(AvroInput(json)) }

    func encode(_ input: AvroInput) throws -> [UInt8] {
        var coercion = AvroCoercion(schema: self)
        do throws(AvroFault) {
            try coercion.write(input, root)
        } catch {
            throw error.error("the value can't be written as Avro's \(title)")
        }
        return coercion.bytes
    }
}
