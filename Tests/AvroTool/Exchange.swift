import Dionysus
import DionysusSchemas
import Foundation

/// Answers lines of JSON with lines of JSON, for a program that compares other implementations with this one.
///
/// A line has `writer` and `reader`, schemas as text, and `data` and `container`, another program's output in
/// hexadecimal. The answer has the canonical form, the fingerprint, the data as this program writes it, and as Avro's
/// JSON by both schemas.
enum Exchange {
    static func run() {
        while let line = readLine() {
            var answer = JSON.Object()
            do {
                let question = try JSON(parsing: Array(line.utf8))
                try reply(to: question, in: &answer)
            } catch {
                answer["error"] = .string("\(error)")
            }
            // Flush at once: the other program waits for the answer.
            FileHandle.standardOutput.write(Data((JSON.object(answer).text + "\n").utf8))
        }
    }

    private static func reply(to question: JSON, in answer: inout JSON.Object) throws {
        guard case .string(let writerText)? = question["writer"], case .string(let readerText)? = question["reader"],
            case .string(let digits)? = question["data"], case .string(let fileDigits)? = question["container"]
        else { throw DionysusError(.malformed, "the question is not complete") }
        let writer = try AvroSchema(parsing: writerText)
        answer["form"] = .string(writer.canonicalForm)
        answer["crc64"] = .string(hexadecimal(writer.fingerprint(.crc64)))
        answer["document"] = .string(writer.description)
        let data = bytes(digits)
        let value = try writer.decode(data)
        answer["data"] = .string(hexadecimal(try writer.encode(value)))
        let json = try writer.json(value)
        answer["json"] = json
        answer["fromJSON"] = .string(hexadecimal(try writer.encode(json: json)))
        let file = try AvroContainer(parsing: bytes(fileDigits))
        guard try file.values() == [value] else { throw DionysusError(.malformed, "the file holds another value") }
        var container = try AvroContainerWriter(schema: writer, codec: .deflate)
        try container.append(value)
        answer["container"] = .string(hexadecimal(try container.finish()))
        do {
            let reader = try AvroSchema(parsing: readerText, .lenient)
            answer["resolved"] = try AvroPlan(from: writer, to: reader).json(from: data)
        } catch {
            answer["unresolved"] = .string("\(error)")
        }
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private static func bytes(_ digits: String) -> [UInt8] {
        let values = digits.compactMap(\.hexDigitValue)
        return stride(from: 0, to: values.count - 1, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}
