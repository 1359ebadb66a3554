/// What is done to read data of a writer's schema as data of a reader's, step by step.
@usableFromInline package final class AvroProgram: Sendable {
    @usableFromInline package struct Op: Sendable {
        @usableFromInline package enum Code: UInt8, Sendable {
            case null, boolean, int, long, float, double, bytes, string
            case intToLong, intToFloat, intToDouble, longToFloat, longToDouble, floatToDouble, stringToBytes,
                bytesToString
            /// Of `a` bytes.
            case fixed
            /// With the reader's symbols for the writer's `b` ones in the table from `a` on; of the writer's type `d`.
            case enumeration
            /// Of elements that `a` reads and that take at least `b` bytes.
            case array, map
            /// Of the `b` steps from `a` on, of which `d` take no bytes.
            case record
            /// With the ops of `b` branches in the table from `a` on.
            case writerUnion
            /// As the branch `a` of the reader's union, by `b`.
            case readerBranch
            /// Of the stored bytes `a`, by `b`.
            case stored
            /// With the message `a`.
            case fail
            // What the reader doesn't know.
            case skipBoolean, skipInt, skipLong, skipSized, skipFixed, skipArray, skipMap, skipRecord, skipUnion
        }

        @usableFromInline package var code: Code
        @usableFromInline package var a: Int = 0
        @usableFromInline package var b: Int = 0
        /// The reader's type.
        @usableFromInline package var type: Int = 0
        @usableFromInline package var d: Int = 0

        init(_ code: Code, a: Int = 0, b: Int = 0, type: Int = 0, d: Int = 0) {
            self.code = code
            self.a = a
            self.b = b
            self.type = type
            self.d = d
        }
    }

    /// A field of the writer's record, or of the reader's that the writer doesn't have.
    @usableFromInline package struct Step: Sendable {
        @usableFromInline package let op: Int
        /// The reader's field; below zero, the data is passed over.
        @usableFromInline package let field: Int
        @usableFromInline package let name: Int

        init(op: Int, field: Int, name: Int) {
            self.op = op
            self.field = field
            self.name = name
        }
    }

    @usableFromInline package let root: Int
    @usableFromInline package let ops: [Op]
    @usableFromInline package let steps: [Step]
    @usableFromInline package let table: [Int]
    @usableFromInline package let stored: [[UInt8]]
    @usableFromInline package let texts: [String]
    /// How many bytes a datum takes at least.
    let minimumSize: Int

    init(
        root: Int,
        ops: [Op],
        steps: [Step],
        table: [Int],
        stored: [[UInt8]],
        texts: [String],
        minimumSize: Int
    ) {
        self.root = root
        self.ops = ops
        self.steps = steps
        self.table = table
        self.stored = stored
        self.texts = texts
        self.minimumSize = minimumSize
    }
}
