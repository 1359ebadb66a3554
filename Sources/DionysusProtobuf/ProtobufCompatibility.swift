import SwiftProtobuf

extension ProtobufFile {
    /// Why data of another version of the file can't be read with this one.
    /// - Parameter writer: The file that data was written with.
    /// - Returns: The reasons; none if all data can be read.
    package func incompatibilities(reading writer: ProtobufFile) -> [String] {
        var faults: [String] = []
        if descriptor.package != writer.descriptor.package {
            faults.append("the package \(writer.descriptor.package) is \(descriptor.package) now")
        }
        faults += Self.compare(descriptor.messageType, writer.descriptor.messageType, "", depth: 0)
        return faults
    }

    private static func compare(
        _ readers: [Google_Protobuf_DescriptorProto],
        _ writers: [Google_Protobuf_DescriptorProto],
        _ scope: String,
        depth: Int
    ) -> [String] {
        guard depth < 64 else { return [] }
        return writers.flatMap { writer -> [String] in
            let name = scope + writer.name
            guard let reader = readers.first(where: { $0.name == writer.name }) else {
                return ["the message \(name) was removed"]
            }
            return compare(reader, writer, name)
                + compare(reader.nestedType, writer.nestedType, "\(name).", depth: depth + 1)
        }
    }

    private static func compare(
        _ reader: Google_Protobuf_DescriptorProto,
        _ writer: Google_Protobuf_DescriptorProto,
        _ name: String
    ) -> [String] {
        let old = Dictionary(writer.field.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        var faults: [String] = []
        for field in reader.field {
            let place = "\(name).\(field.name)"
            guard let before = old[field.number] else {
                if field.label == .required { faults.append("\(place): the required field was added") }
                continue
            }
            if kind(field) != kind(before) { faults.append("\(place): the type of the field \(field.number) changed") }
            if field.hasOneofIndex, !field.proto3Optional, !before.hasOneofIndex {
                let others = reader.field.filter {
                    $0.hasOneofIndex && $0.oneofIndex == field.oneofIndex && old[$0.number]?.hasOneofIndex == false
                }
                if others.count > 1 { faults.append("\(place): several fields were moved to a oneof") }
            }
        }
        for field in writer.field where field.label == .required {
            if !reader.field.contains(where: { $0.number == field.number }) {
                faults.append("\(name).\(field.name): the required field was removed")
            }
        }
        return faults
    }

    /// Types whose data is the same have the same kind.
    private static func kind(_ field: Google_Protobuf_FieldDescriptorProto) -> String {
        switch field.type {
        case .int32, .int64, .uint32, .uint64, .bool, .enum: "varint"
        case .sint32, .sint64: "zigzag"
        case .string, .bytes: "text"
        case .fixed32, .sfixed32: "fixed32"
        case .fixed64, .sfixed64: "fixed64"
        case .float: "float"
        case .double: "double"
        case .group: "group"
        case .message: "message \(field.typeName)"
        }
    }
}
