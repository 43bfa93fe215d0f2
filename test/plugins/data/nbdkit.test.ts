// Expressions as nbdkit reads them: the same bytes, the same holes.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { command, expectBothRefuse, expectSame } from "../../fixtures/side-by-side.ts";
import { describeWith } from "../../fixtures/tools.ts";
import { tree } from "../../fixtures/tree.ts";

/** Each line is an expression, followed by further parameters behind ` :: `. */
const expressions = String.raw`
 ( 0x55 0xAA )*2048 
 ( "Hello" )*2000  :: size=8192
0 1 2 3 @0x1fe 0x55 0xaa
0 1 2 3 @^0x200 @-2 le16:0xaa55
 be32:0x1 
( 0x55 0xAA ) * 256
@0x1be 0 0 2 0 0x83 0x20 0x20 0 le32:1 le32:0x7ff @0x1fe 0x55 0xaa :: size=1M
( 0x55 0xAA ) -> \boot-signature ( @0x1fe \boot-signature ) -> \sector \sector \sector 
$pattern*16 :: pattern=0x55 0xAA
 </dev/zero[:512]*16 
 <( i=0; while :; do printf "%04d" $i; i=$((i+1)); done )[:32768] 
 @32768 1 
1
0
017 0x1F 0XfF 255
le16:0x1234 be16:0x1234 le32:070 be32:0x12345678
le64:0xffffffffffffffff be64:0x0102030405060708 be64:010
"a\tb\n\\\"\r\v\f\b\a\?\'"
"é €"
1"a"2(3)4
""
()
1 2*0 3
1*2*3
1*0x10 2*010
0x55*40000
0*65536
0*65536 1
1 0*65536 @200000 0
(0*65536)*2
(1 2 3)[1:2][0:1]*3
(1 2 3)[:]
(1 2 3)[1:]
(1 2 3)[:2]
(1 2 3)[1:1]
"abc" [1:]
"abc"*2[:4]
"a" "b"*2
"a""b"*2
@4 1 @0 2
@4 @2
@2
@^4
1 @^4
1 @^0x1000 2 @^1
1 2 3 @-2 4
@5 @-5 1
@+5 1
1 @+0x2 @-01 1
1 @0
@4@8 1
@0x10b 1
( @4 )*2
(@4 1 @0)*2
(@5)[2:]
(@5 1)*2
(1 @5)*2 2
@5 (1 @^4 2)
@3 ( @^4 1)
1 2 3 4 @0 ( @2 9 )
1 2 3 4 5 6 @2 ( @1 8 @3 )
(@65536 1)*3
(1 @65536)*4 (@65536)
(1 @32768)*4
((1 @3) @32767 7)
(@40000 1)[10:]
(@40000 1) -> \x @100000 \x
(@40000 1 @100000)[:80000] 5
"a" @32768 1 @0 "b"
1 -> \a \a \a
1->\a\a\a
1 2 -> \a \a
(1 2)->\a\a[:1]\a[1:]
1 -> \a 2 -> \a \a
1 -> \a (\a) -> \b 2 -> \a \b
( 1 -> \a ( \a 2 -> \a \a ) \a )
1*2 -> \x \x \x
(1 2 3)[1:] -> \x \x \x
1 -> \a-b_C9 \a-b_C9*2
1*0 -> \z \z 3
1 -> \a $x :: x=\a
$a :: a=$b b=7 8
$x_y $x_y*3 :: x_y=( 7 @4 )
$x*40000 :: x=0
1 # comment
(((((1)))))
<( printf "(x)" )
<( printf abc; printf def )[:4] 9
<( printf abc ) -> \s \s*2
 :: size=10
1 :: size=40000
1 2 3 4 :: size=2
0 :: size=100000
@9000000000 1
`;

describeWith(["nbdkit", "nbdcopy", "nbdinfo"], "data and nbdkit's, the same expression", () => {
  const lines = expressions.split("\n").slice(1, -1);
  it(`are compared on ${lines.length} expressions`, () => expect(lines.length).toBeGreaterThan(60));
  it.each(lines)("%s", async (line) => {
    const [expression = "", ...more] = line.split(/ ?:: /);
    const given = more.join(" ").match(/\w+=.*?(?= \w+=|$)/g) ?? [];
    // Nothing is read of what is too long to be compared: its map says enough.
    if (expression.startsWith("@9000000000")) return void (await sameMap([expression]));
    await expectSame(["data", expression, ...given]);
  });

  async function sameMap(argv: readonly string[]): Promise<void> {
    const folder = tree();
    const maps: unknown[] = [];
    for (const who of ["nbdkit", "diskwright"] as const) {
      const to = join(folder, who);
      expect(await command(who, ["-U", "-", "data", ...argv, "--run", `nbdinfo --map --json "$uri" > ${to}`])).toMatchObject({ code: 0 });
      maps.push(JSON.parse(readFileSync(to, "utf8")));
    }
    expect(maps[1]).toEqual(maps[0]);
  }

  it("over several lines, with comments", async () => {
    await expectSame([
      "data",
      "\n @0x1be # MBR first partition entry\n 0x83*16 # (not closed\n @0x1fe # signature\n 0x55 0xaa\n",
      "size=1M",
    ]);
  });

  it("files, aligned to sectors", async () => {
    const folder = tree({ one: "1".repeat(700), two: "2", three: "" });
    await expectSame(["data", `<${folder}/one @^512 <${folder}/two @^512 <${folder}/three @^512 `]);
    await expectSame(["data", `(<${folder}/one) <${folder}/two*3 <${folder}/one[5:9]*2`]);
  });

  it("a file of zeroes is allocated, as nbdkit has it", async () => {
    const folder = tree();
    writeFileSync(join(folder, "zeroes"), Buffer.alloc(100_000));
    const { map } = await expectSame(["data", `<${folder}/zeroes`]);
    expect(map).toMatchObject([{ type: 2 }]);
  });

  it("raw and base64", async () => {
    await expectSame(["data", "raw=Hello, world!"]);
    await expectSame(["data", "raw=x=y é", "size=5"]);
    await expectSame(["data", "base64=MTIz", "size=1M"]);
    await expectSame(["data", "base64=aGVsbG8gbmJka2l0IHVzZXI="]);
    await expectSame(["data", "base64=YWJj ZGU="]);
    await expectSame(["data", "( 0x55 0xAA )*2048", "allocator=malloc"], { map: false });
  });

  it("environment variables", async () => {
    const folder = tree();
    for (const who of ["nbdkit", "diskwright"] as const) {
      const to = join(folder, who);
      const argv = ["-U", "-", "data", "$DW_PATTERN*16", "--run", `nbdcopy "$uri" ${to}`];
      process.env.DW_PATTERN = "0x55 0xAA";
      expect(await command(who, argv, { env: { DW_PATTERN: "0x55 0xAA" } })).toMatchObject({ code: 0 });
      expect(readFileSync(to)).toEqual(Buffer.alloc(32, Buffer.of(0x55, 0xaa)));
    }
    delete process.env.DW_PATTERN;
  });

  it.each([
    "256",
    "0400",
    "le16:65536",
    "le16:-1",
    "le16: 1",
    "1,2",
    "'a'",
    "*2",
    "[0:1]",
    "1(*2)",
    "(1",
    "1)",
    '"a',
    "@-1 4",
    "( @-1 1)",
    "@^0 1",
    "@^3 1",
    "@ 4 1 @-9",
    "(1 2 3)[1:9]",
    "(1 2 3)[2:1]",
    "(1 2 3)[1]",
    "(1 2 3)[1:2",
    "1*-1",
    "\\a",
    "( 1 -> \\a ) \\a",
    "\\a*2 1 -> \\a",
    "1 -> a",
    "@4 *2",
    "@4 -> \\a",
    "$undefined_x",
    "$-x",
    "< f",
    "</no/such/file",
    "<(exit 3)",
    "0x1g",
    "/* c */ 1",
  ])("both refuse %s", async (expression) => {
    expect((await expectBothRefuse(["data", expression])).diskwright).toMatch(/data: line 1, column \d+/);
  });

  it("both want one content", async () => {
    for (const argv of [[], ["size=1M"], ["1", "data=2"], ["raw=a", "base64=YQ=="], ["1", "2"], ["base64=YWI"], ["base64=!!!"]]) {
      await expectBothRefuse(["data", ...argv]);
    }
  });
});
